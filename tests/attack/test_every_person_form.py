"""Every form outside a tenant, of a person and of anybody, with fields beside its own: nobody gets more by any of them."""

from __future__ import annotations

import re
import time
from typing import Any

import pyotp
import time_machine
from django.test import Client
from django.urls import URLResolver, get_resolver, reverse

from apps.accounts import actions
from apps.accounts.models import Member
from apps.billing.actions import FIRST_PLAN
from apps.billing.models import Subscription
from apps.tenants.context import as_system
from tests.api.test_another_address import mails_to
from tests.api.test_people import link_of
from tests.api.test_signing_in import link_mailed_to
from tests.api.test_signing_up import link_to, people, tenants, typed
from tests.cast import PASSWORD, acting_as
from tests.clients import browser
from tests.forms import published, step
from tests.watch import Watch, foreign

NEW = "another long horse battery"
# What a person does for themselves, outside every tenant: the address, what is asked for, and the answer.
OWN = [
    ("account_again", {}, 302),
    ("account_start", {}, 302),
    ("account_address", {"email": "x@new.example"}, 302),
    ("account_organisation", {"organisation": "x"}, 404),
    ("account_sessions", {"end": "others"}, 302),
    ("account_reauthenticate", {"password": PASSWORD}, 302),
    ("account_sso", {"email": "x@acme.example"}, 422),
    ("account_sso_link", {}, 302),
    ("account_support_leave", {}, 404),
    ("mfa_index", {}, 405),
    ("mfa_list_webauthn", {}, 405),
    ("mfa_view_recovery_codes", {}, 302),
    ("mfa_generate_recovery_codes", {}, 302),
    ("mfa_add_webauthn", {"name": "x", "credential": "{}"}, 200),
    ("mfa_deactivate_totp", {}, 404),
    ("mfa_reauthenticate", {"code": "000000"}, 302),
    ("mfa_reauthenticate_webauthn", {"credential": "{}"}, 302),
    ("mfa_authenticate", {"code": "000000"}, 302),
    ("account_login", {"login": "", "password": PASSWORD}, 302),
    ("account_reset_password", {"email": ""}, 302),
    ("account_reset_password_done", {}, 405),
    ("account_sign_up_sent", {}, 404),
    ("account_reset_password_from_key_done", {}, 405),
    ("account_change_password", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}, 302),
    ("account_logout", {}, 302),
]  # fmt: skip
# Each has a test of its own below; the rest take an id that is in the address alone.
APART = {
    "mfa_activate_totp", "account_reset_password_from_key", "account_invitation", "account_sign_up", "account_address_link",
    "account_sign_up_link",
}  # fmt: skip
BY_ADDRESS = {"mfa_remove_webauthn", "account_sso_start", "account_sso_tenant", "account_sso_callback"}


def test_every_address_of_a_person_is_sent():
    found = {str(one.name) for one in _account(get_resolver().url_patterns, "")}
    assert {one[0] for one in OWN} | APART | BY_ADDRESS == found


def _account(patterns: Any, prefix: str) -> Any:
    for entry in patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _account(entry.url_patterns, route)
        elif route.startswith("account/"):
            yield entry


def test_no_form_of_a_person_takes_a_field_that_it_does_not_show(acme, globex):
    watch, door, wrong = Watch(acme, globex), browser(acme.editor), []
    sent = {name: value for name, value in foreign(acme.editor, globex).items() if name != "email"}
    for name, fields, status in OWN:
        typed = fields | {key: acme.editor.email for key in ("login", "email") if fields.get(key) == ""}
        answer = (Client() if name == "account_login" else door).post(reverse(name), sent | typed)
        if (news := watch.news()) or answer.status_code != status:
            wrong.append((name, answer.status_code, news))
    assert not wrong, "\n".join(map(str, wrong))


def test_neither_an_app_nor_a_reset_nor_joining_takes_more(acme, globex):
    email = f"new@x.{acme.slug}.example"
    with acting_as(acme.owner):
        actions.invite(email=email, role="viewer", by=acme.owner)
    watch, door, sent = Watch(acme, globex), browser(acme.viewer), foreign(acme.viewer, globex)
    asked = door.get("/account/2fa/totp/activate/")["Location"]
    page = door.post(asked, sent | {"password": PASSWORD}, follow=True).content.decode()
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", page)[1]
    with time_machine.travel(time.time(), tick=False):  # else the half minute may end between code and door
        typed = sent | {"code": pyotp.TOTP(secret).now()}
        assert door.post("/account/2fa/totp/activate/", typed).status_code == 302
    assert watch.news() == set()
    Client().post("/account/password/reset/", {"email": acme.editor.email})
    asked = Client()
    form = asked.get(link_mailed_to(acme.editor.user), follow=True)
    assert asked.post(form.request["PATH_INFO"], sent | {"password1": NEW, "password2": NEW}).status_code == 302
    assert watch.news() == set()
    joined = Client().post(link_of(acme, email), sent | {"name": "New", "password": PASSWORD, "email": "x@y.example"})
    assert (joined.status_code, watch.news()) == (302, {"accounts_invitation.accepted_at"})
    with as_system(acme.id):
        assert Member.objects.get(user__email=email).role == "viewer"


def test_signing_up_makes_nobody_but_an_owner_of_their_own(settings, acme, globex):
    settings.SIGN_UP_IS_OPEN = True
    email, slug = f"new@x.{acme.slug}.example", f"x{acme.slug}"
    watch, sent = Watch(acme, globex), foreign(acme.editor, globex)
    assert Client().post("/account/signup/", sent | {"email": email}).status_code == 302
    assert watch.news() == set()
    more = {"is_platform_admin": "on", "is_staff": "on", "plan": "enterprise", "trial": "9999", "credential": "system"}
    assert Client().post(link_to(email), sent | more | typed(slug)).status_code == 302
    assert watch.news() == set()
    [person], [(tenant,)] = people(email), tenants(slug)
    assert (person.is_platform_admin, person.is_service, person.is_active) == (False, False, True)
    with as_system(tenant):
        assert Member.objects.values_list("user_id", "role").get() == (person.pk, "owner")
        assert Subscription.objects.get().plan.key == FIRST_PLAN


def test_a_further_organisation_makes_nobody_but_its_owner(settings, acme, globex):
    settings.SIGN_UP_IS_OPEN = True
    slug, door = f"y{acme.slug}", browser(acme.editor)
    watch, sent = Watch(acme, globex), foreign(acme.editor, globex)
    more = {
        "is_platform_admin": "on",
        "plan": "enterprise",
        "trial": "9999",
        "credential": "system",
        "owner": str(globex.owner.user_id),
    }
    asked = {"organisation": "New Works", "slug": slug, "timezone": "UTC"}
    assert door.post("/account/organisation/", sent | more | asked).status_code == 302
    assert watch.news() == set()
    [(tenant,)] = tenants(slug)
    with as_system(tenant):
        assert Member.objects.values_list("user_id", "role").get() == (acme.editor.user_id, "owner")
        assert Subscription.objects.get().plan.key == FIRST_PLAN


def test_another_address_is_all_that_its_link_gives(acme, globex):
    door, new = browser(acme.editor), f"new@x.{acme.slug}.example"
    watch, sent = Watch(acme, globex), foreign(acme.editor, globex)
    assert door.post("/account/email/", sent | {"email": new, "user": str(acme.owner.user_id)}).status_code == 302
    link = re.search(r"(/account/email/\S+/)", mails_to(new)[0][1])[1]
    assert watch.news() == set()
    assert door.post(link, sent | {"email": globex.owner.email, "user": str(acme.owner.user_id)}).status_code == 302
    assert watch.news() == {"accounts_user.email"}
    acme.editor.user.refresh_from_db()
    assert acme.editor.user.email == new


def test_a_form_that_anyone_may_fill_takes_no_more(api, acme, globex):
    form = published(api, acme.editor, step("a", acme.reviewer))
    assert api.as_(acme.editor).patch(f"/api/v1/forms/{form}", {"filling": "public"}).status_code == 200
    watch, sent = Watch(acme, globex), foreign(acme.editor, globex) | {"item": "A", "total": "3", "do": "send"}
    answer = Client().post(f"/f/{acme.slug}/request/", sent)
    assert (answer.status_code, watch.news()) == (302, set())
