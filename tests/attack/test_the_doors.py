"""Every address of the URL resolver stands in the gateway's table, and opens only to whom the table says."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import get_resolver

from apps.accounts.doors import RULES, Door, is_api, rule_of
from tests.cast import person
from tests.routes import example, walk

ROUTES = sorted({example(route) for route in walk(get_resolver())})


def test_the_walk_finds_the_routes():
    assert len(ROUTES) > 40
    assert "/api/v1/me" in ROUTES


@pytest.mark.parametrize("path", ROUTES)
def test_every_route_stands_in_the_table(path):
    assert rule_of(path) is not None, path


OPEN = {Door.PUBLIC, Door.VISITOR_API}


@pytest.mark.parametrize("path", [path for path in ROUTES if rule_of(path) and rule_of(path).door not in OPEN])
def test_a_closed_route_refuses_an_anonymous_request(client_of, path):
    answer = client_of.get(path)
    if is_api(path):
        assert answer.status_code in {401, 405}
        assert answer["Content-Type"] == "application/problem+json"
    elif answer.status_code != 405:
        assert answer.status_code == 302
        assert answer["Location"].startswith("/account/login/")


@pytest.mark.parametrize("path", [path for path in ROUTES if path.startswith("/admin/") and path != "/admin/login/"])
def test_the_admin_does_not_exist_for_a_tenant_owner(acme, browse, path):
    assert browse(acme.owner).get(path).status_code == 404


@pytest.mark.parametrize("path", ["/unknown", "/t", "/apix/v1/me", "/account/signup/", "/account/confirm-email/"])
def test_an_unknown_path_is_not_found(client_of, path):
    assert client_of.get(path).status_code == 404


def test_a_public_route_takes_only_its_methods(client_of):
    answer = client_of.delete("/security")
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD"


def test_every_rule_of_the_table_is_used():
    unused = [rule.pattern.pattern for rule in RULES if not any(rule_of(path) is rule for path in ROUTES)]
    assert unused in ([], ["/static/"], [r"/static/", r"/favicon\.ico\Z"])


@pytest.mark.parametrize("path", ["/", "/t/none/", "/api/v1/me", "/healthz/live", "/unknown", "/account/login/"])
def test_every_answer_carries_the_headers(client_of, path):
    answer = client_of.get(path)
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Request-ID"]


def test_a_well_formed_request_id_is_kept_and_a_bad_one_replaced(client_of):
    assert client_of.get("/healthz/live", headers={"X-Request-ID": "abcd-1234"})["X-Request-ID"] == "abcd-1234"
    assert client_of.get("/healthz/live", headers={"X-Request-ID": "<script>"})["X-Request-ID"] != "<script>"


def test_a_post_from_another_site_is_refused(acme, browse):
    answer: Any = browse(acme.owner).post(acme.url("forms/"), headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_a_super_admin_opens_the_admin_and_sees_every_tenant(acme, globex, browse):
    from django.conf import settings
    from django.test import Client

    from apps.accounts.actions import make_super_admin

    admin = person("admin", acme.slug)
    make_super_admin(admin)
    client = Client()
    client.force_login(admin, backend=settings.AUTHENTICATION_BACKENDS[0])
    page = client.get("/admin/tenants/tenant/?q=" + acme.slug[:4])
    assert page.status_code == 200
    assert acme.slug in page.content.decode()
    assert client.get("/admin/accounts/member/").status_code == 200
    assert client.get("/admin/audit/entry/").status_code == 200
    assert client.get("/admin/accounts/member/add/").status_code == 403


def test_whoever_looks_where_only_a_button_sends_reads_a_page_of_ours(acme, browse):
    door = browse(acme.owner)
    for path in (acme.url("settings/ai/switch/"), "/account/password/reset/done/"):
        answer = door.get(path) if path.startswith("/t/") else door.post(path)
        assert answer.status_code == 405
        assert answer["Allow"]
        assert "There is nothing to see here" in answer.content.decode()
        assert "To the start" in answer.content.decode()
