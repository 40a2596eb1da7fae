"""Another e-mail address of a person: theirs once the link that was mailed there is opened, by them."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.comms.actions import queue_mail
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.freshness import require_fresh
from apps.tenants.ids import new_id
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.refusals import NotFound, Refused

from .. import links
from ..models import User
from ..sso import demands
from .asked import opened, promise
from .notices import tell_address_asked, tell_address_changed
from .sessions import address_asked, address_changed

PURPOSE = "new address that is asked for"


@transaction.atomic
def ask_for_address(user: User, email: str) -> None:
    """Promise a link to the new address, and tell the one of now; the same work whether somebody has the new one or not.

    Raises NotFresh, and Refused where a provider has a say in it.
    """
    require_fresh("address.change")
    if email.strip().lower() == user.email:
        raise Refused(_("This is your address already."), field="email")
    demands.check_new_address(user, email)
    address_asked(user)
    tell_address_asked(user, row=new_id())
    promise("accounts.mail_address_link", PURPOSE, email, user=str(user.pk))


@transaction.atomic
def mail_address_link(sealed: str) -> None:
    """Mail the link, or where the address is somebody's already, that somebody else wants it."""
    with opened(PURPOSE, sealed) as asked, tenant_context(NOBODY):
        is_known = User.objects.filter(email__iexact=asked["email"]).exists()
        template, path = "address_known", reverse("account_login")
        if not is_known:
            word = links.make(links.NEW_ADDRESS, asked["user"], f"{asked['user']} {asked['email']}")
            template, path = "address_link", reverse("account_address_link", kwargs={"word": word})
        with as_system(PLATFORM_TENANT_ID):
            queue_mail(
                to=asked["email"],
                template=f"account/mail/{template}",
                context={"link": settings.PUBLIC_URL + path},
                dedupe=f"new-address:{new_id()}",
                user_id=None,
            )


def look_at_address(word: str, *, user: User) -> str:
    """The address that a link makes this person's. Raises NotFound for one that opens nothing, or nothing for them."""
    return _for(user, links.look(links.NEW_ADDRESS, word))


@transaction.atomic
def change_address(word: str, *, user: User, session: str) -> None:
    """Make the address of the link this person's, and end what is open for them but for this session.

    Raises NotFound, Refused where a provider has a say in it by now or the address has become somebody's.
    """
    email = _for(user, links.use(links.NEW_ADDRESS, word))
    demands.check_new_address(user, email)
    tell_address_changed(user, row=new_id())
    with tenant_context(NOBODY):
        before = User.objects.select_for_update().get(pk=user.pk).email
        try:
            with transaction.atomic():
                User.objects.filter(pk=user.pk).update(email=email)
        except IntegrityError:
            raise Refused(_("Somebody signs in by this address already.")) from None
        EmailAddress.objects.filter(user=user).delete()
        EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)
    address_changed(user, before=before, but=session)


def _for(user: User, value: str) -> str:
    person, _space, email = value.partition(" ")
    if person != str(user.pk):
        raise NotFound()
    return email
