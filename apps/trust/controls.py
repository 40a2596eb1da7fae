"""The five Trust controls, each from a live check; of the tenant in force, of the demo, or of nobody."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.accounts.people import memberships_of
from apps.forms.actions.disclosure import SLUG
from apps.forms.public import find_form
from apps.tenants.context import NOBODY, as_system, current, tenant_context
from apps.tenants.models import Tenant
from apps.tenants.slots import Finding

from .claims import Claim
from .probes import Checked, check
from .recent import Recent

CONTROLS: tuple[Claim, ...] = (
    Claim(
        "tenant_verified",
        gettext_lazy("Tenant verified"),
        gettext_lazy("The database itself verified which tenant this request is bound to."),
        probe="trust.tenant",
    ),
    Claim(
        "rbac",
        gettext_lazy("RBAC active"),
        gettext_lazy("What each role may do is one table, in force at each request."),
        probe="accounts.roles",
    ),
    Claim(
        "audit_chain",
        gettext_lazy("Audit chain verified"),
        gettext_lazy("The log's bytes, numbers and chain were walked and hold."),
        probe="audit.chain",
    ),
    Claim(
        "ai_budget",
        gettext_lazy("AI budget used"),
        gettext_lazy("How much of the tenant's budget for AI is used."),
        probe="ai.budget",
    ),
    Claim(
        "data_stores",
        gettext_lazy("Data stores isolated"),
        gettext_lazy("Tables, cache and files give out nothing of another tenant."),
        probe="trust.stores",
    ),
)
NO_AI = Finding(True, gettext_lazy("AI off: this installation has no AI, so nothing can be spent."))


@dataclass(frozen=True)
class Panel:
    """The five, and whose they are, in words."""

    about: str
    controls: list[Checked]


def controls() -> list[Checked]:
    """The five, checked now for the tenant in force, or for nobody."""
    return [check(control, absent=NO_AI if control.key == "ai_budget" else None) for control in CONTROLS]


def of_visitor(request: HttpRequest) -> Panel:
    """On a public page: the tenant that `?tenant=` names or the first of whoever is signed in, else as a stranger sees it."""
    mine = memberships_of(request)
    asked = request.GET.get("tenant", "")
    found = next((member.tenant for member in mine if member.tenant.slug == asked), mine[0].tenant if mine else None)
    return of_tenant(found) if found is not None else of_stranger()


def of_context() -> Panel:
    """On the API: the token's tenant, else as a stranger sees it."""
    tenant = current().tenant
    return Panel(_about(Tenant.objects.get(pk=tenant)), controls()) if tenant else of_stranger()


def of_tenant(tenant: Tenant) -> Panel:
    with as_system(tenant.pk):
        return Panel(_about(tenant), controls())


def of_stranger() -> Panel:
    """Of the demo where there is one; computed every few seconds, however many ask."""
    return _strangers.get()


def _about(tenant: Tenant) -> str:
    return _("of %(name)s, your tenant") % {"name": tenant.name}


def _for_stranger() -> Panel:
    with tenant_context(NOBODY):
        demo = demo_tenant()
        if demo is None:
            return Panel(_("of no tenant: sign in to see yours"), controls())
        with as_system(demo.pk):
            return Panel(_("of the demo tenant %(name)s, since nobody is signed in") % {"name": demo.name}, controls())


_strangers = Recent(_for_stranger)


def demo_tenant() -> Tenant | None:
    """The demo's tenant that strangers can find: the one that takes reports; None in an installation that is no demo."""
    found = find_form(settings.DISCLOSURE_TENANT, SLUG) if settings.IS_DEMO else None
    if found is None:
        return None
    with as_system(found[0]):
        return Tenant.objects.get(pk=found[0])
