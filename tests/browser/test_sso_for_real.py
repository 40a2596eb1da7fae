"""Single sign-on with an independent provider, in a real browser: there, back, linked, and only into its own tenant."""

from __future__ import annotations

import pytest

from apps.accounts.sso.provider import callback_url
from tests import independent_provider
from tests.sso import connect, prove

from .visits import WATCH, check, press, sees


class At:
    """What `connect` needs to know of a provider."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return independent_provider.install(tmp_path_factory.mktemp("oidc"))


@pytest.fixture
def registered(package, address, acme, settings):
    """(the company's connection, its port): discovered once, then registered at the provider with its own address."""
    settings.EGRESS_LOOPBACK = True
    port = independent_provider.free_port()
    with independent_provider.running(package, port, []) as issuer:
        connection = connect(acme, At(issuer))
    prove(acme)
    return connection, port


def sign_in_at_the_provider(page, email):
    page.fill("[name=login]", email)
    page.fill("[name=password]", "anything")
    press(page, page.get_by_role("button", name="Sign-in"))
    press(page, page.get_by_role("button", name="Continue"))


@pytest.mark.parametrize("width", [360, 1280])
def test_a_member_comes_by_an_independent_provider(chromium, address, package, registered, acme, globex, width):
    connection, port = registered
    with independent_provider.running(package, port, [callback_url(connection)]):
        page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
        page.add_init_script(WATCH)
        page.goto(f"{address}/account/login/")
        press(page, page.get_by_role("link", name="Single sign-on"))
        check(page)
        page.fill("[name=email]", acme.editor.email)
        press(page, page.get_by_role("button", name="Go on"))
        check(page)
        press(page, page.get_by_role("link", name=connection.name))
        assert page.url.startswith(connection.issuer)
        sign_in_at_the_provider(page, acme.editor.email)
        page.wait_for_url(f"{address}/account/sso/link/")
        sees(page.get_by_text(acme.editor.email))
        check(page)
        press(page, page.get_by_role("button", name="Yes: link it and sign in"))
        page.wait_for_url(f"{address}{acme.url()}")
        check(page)
        assert page.goto(f"{address}{globex.url()}").status == 404
        check(page)


def test_after_the_provider_has_changed_its_key_people_still_come(chromium, address, package, registered, acme):
    connection, port = registered
    for kid, key in (("first", "RS256"), ("second", "RS256")):
        with independent_provider.running(package, port, [callback_url(connection)], kid=kid, key=key):
            page = chromium.new_context().new_page()
            page.goto(f"{address}/account/sso/{connection.pk}/")
            sign_in_at_the_provider(page, f"new@{acme.slug}.example")
            page.wait_for_url(f"{address}{acme.url()}")


def test_somebody_the_tenant_does_not_know_is_told_so(chromium, address, package, registered, acme):
    connection, port = registered
    with independent_provider.running(package, port, [callback_url(connection)]):
        page = chromium.new_context().new_page()
        page.add_init_script(WATCH)
        page.goto(f"{address}/account/sso/{connection.pk}/")
        sign_in_at_the_provider(page, "somebody@elsewhere.example")
        sees(page.get_by_role("heading", name="Nobody was signed in"))
        check(page)
