"""Every page, found by walking the URL resolver, as every role: it answers, axe finds nothing, no policy is violated,
nothing stands on the console, and nothing overflows. A page without an example here fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from apps.accounts.models import Member, Team
from apps.accounts.sso.models import SsoConnection
from apps.approvals.models import Assignment
from apps.audit.models import SavedView
from apps.comms import actions as webhooks
from apps.comms.models import WebhookEndpoint
from apps.forms.models import Submission
from apps.operations.streams import sending
from apps.operations.streams.models import Stream
from apps.tenants.encryption import seal
from tests.cast import DemoCast, acting_as

from .visits import WATCH, Visit, check, give_password, resize, sign_in

SCHEMES = ("light", "dark")
LOOKS = {
    "owner": {1280: SCHEMES, 360: SCHEMES},
    "editor": {1280: ["dark"]},
    "reviewer": {360: ["light"]},
    "viewer": {1280: ["light"]},
}
LEAST_PAGES = {
    "owner": 38,
    "editor": 14,
    "reviewer": 12,
    "viewer": 3,
}  # so that a page that vanishes for a role is noticed
# Addresses that only take a POST, or that hand out a file: there is no page to look at.
NO_PAGES = {
    "accounts:member", "accounts:invitation", "accounts:api-key", "accounts:service-accounts", "accounts:service-account", "audit:proof", "audit:verifier", "audit:log-export", "audit:receipt", "forms:take", "forms:preview", "forms:withdraw", "forms:download", "forms:revoke",
    "accounts:sso_domain", "comms:webhook_act", "comms:webhook_resend", "billing:buy", "billing:portal", "ai:summary",
    "forms:export", "forms:discard", "streams:act", "approvals:end",
}  # fmt: skip
SLUG = {"slug": "purchase-request"}


def _draft() -> dict[str, Any]:
    return {"pk": Submission.objects.filter(case=None).latest("created_at").pk}


def _task() -> dict[str, Any]:
    return {"pk": Assignment.objects.latest("created_at").pk}


def _member() -> dict[str, Any]:
    return {"pk": Member.objects.get(user__email="reviewer@acme.example").pk}


def _provider() -> dict[str, Any]:
    fields = {"kind": "oidc", "name": "Works IdP", "issuer": "https://id.works.example", "client_id": "orkestra"}
    secret = seal("sso client secret", "a secret")
    made, _ = SsoConnection.objects.get_or_create(
        **fields, defaults={"client_secret": secret, "default_role": "member"}
    )
    return {"pk": made.pk}


def _sent() -> dict[str, Any]:
    return {"pk": Submission.objects.exclude(case=None).latest("created_at").pk}


def _webhook() -> dict[str, Any]:
    """An endpoint with a message that was tried and not taken."""
    found = WebhookEndpoint.objects.first()
    if found is None:
        url = "https://hooks.invalid/in"
        found, _secret = webhooks.create_endpoint(url=url, events=["submission.sent"], description="ERP", by=None)
        webhooks.attempt(webhooks.send_test(found, by=None).pk)
    return {"pk": found.pk}


def _view() -> dict[str, Any]:
    """A saved view of the owner's."""
    person = Member.objects.get(user__email="owner@acme.example").pk
    made, _ = SavedView.objects.get_or_create(person=person, name="Refused", defaults={"query": "outcome=refused"})
    return {"pk": made.pk}


def _stream() -> dict[str, Any]:
    """A stream that nothing takes."""
    found = Stream.objects.first()
    if found is None:
        url = "https://logs.invalid/in"
        found = Stream.objects.create(url=url, description="The company's own log system", secret="")
        sending.send(found.pk)
    return {"pk": found.pk}


EXAMPLES: dict[str, Callable[[], dict[str, Any]]] = {
    "audit:view": _view,
    "comms:webhook": _webhook,
    "streams:stream": _stream,
    "accounts:team": lambda: {"pk": Team.objects.latest("created_at").pk},
    "accounts:leave": _member,
    "accounts:sso_connection": _provider,
    "forms:form": lambda: SLUG,
    "forms:access": lambda: SLUG,
    "forms:form_trail": lambda: SLUG,
    "forms:submission_trail": _sent,
    "forms:delete": lambda: SLUG,
    "forms:edit": lambda: SLUG,
    "forms:fill": lambda: SLUG,
    "forms:submission": _sent,
    "forms:draft": _draft,
    "forms:check": _draft,
    "forms:task": _task,
}


def tenant_routes(patterns: Any = None, prefix: str = "", namespace: str = "") -> Iterator[tuple[str, bool]]:
    """(name, whether it needs more than the tenant) of every route below /t/<tenant>/."""
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from tenant_routes(entry.url_patterns, route, entry.namespace or namespace)
        elif isinstance(entry, URLPattern) and route.startswith("t/<slug:tenant>/"):
            yield f"{namespace}:{entry.name}", "<" in route.removeprefix("t/<slug:tenant>/")


PAGES = [(name, needs) for name, needs in tenant_routes() if name not in NO_PAGES]


def test_every_page_that_needs_an_id_has_an_example():
    assert {name for name, needs in PAGES if needs} - set(EXAMPLES) == set()
    assert set(EXAMPLES) - {name for name, _ in PAGES} == set()
    assert NO_PAGES - {name for name, _ in tenant_routes()} == set()


def addresses(demo: DemoCast) -> list[str]:
    with acting_as(demo.acme("owner")):
        found = [
            reverse(name, kwargs={"tenant": "acme", **(EXAMPLES[name]() if needs else {})}) for name, needs in PAGES
        ]
    return [*found, reverse("forms:fill", kwargs={"tenant": "acme", "slug": "leave"})]


@pytest.mark.parametrize("who", LOOKS)
def test_every_page_of_a_tenant_is_clean_for_every_role(chromium, address, demo, who):
    page = sign_in(chromium, address, demo.acme(who))
    visit, opened = Visit(page), 0
    for path in addresses(demo):
        asked = page.request.get(address + path, max_redirects=0)
        assert asked.status in {200, 302, 403, 404, 405}, (path, asked.status)
        if asked.status == 200 and asked.headers["content-type"].startswith("text/html"):
            visit.to(address + path)
            for width, schemes in LOOKS[who].items():
                resize(page, width)
                check(page, *schemes, whole=who == "owner" and width == 1280)
            assert visit.errors == [], path
            opened += 1
    assert opened >= LEAST_PAGES[who]


@pytest.mark.parametrize("path", ["/", "/security", "/account/login/", "/account/password/reset/", "/nothing-here"])
def test_every_public_page_is_clean(chromium, address, path):
    page = chromium.new_page()
    visit = Visit(page)
    status = visit.to(address + path)
    for width in (1280, 360):
        resize(page, width)
        check(page, *SCHEMES)
    assert status == 404 or visit.errors == []


@pytest.mark.parametrize("width", [360, 1280])
def test_a_member_signs_in_by_the_form(chromium, address, acme, width):
    page = chromium.new_page()
    page.add_init_script(WATCH)
    resize(page, width)
    give_password(page, address, acme.editor)
    assert page.url == address + acme.url()
    check(page, *SCHEMES)


@pytest.mark.parametrize("who", LOOKS)
def test_the_home_of_a_company_that_has_nothing_yet_is_clean(chromium, address, acme, who):
    page = sign_in(chromium, address, getattr(acme, who))
    for width in (1280, 360):
        resize(page, width)
        check(page, *SCHEMES)
