"""Signing in, out and a forgotten password, as a browser does it."""

from __future__ import annotations

import json
import logging
import re

import pytest
from django.test import Client

from apps.accounts import actions as people
from apps.audit.models import Entry, PrivateValue
from apps.comms.models import OutboxMessage
from apps.tenants.context import as_system
from apps.tenants.models import PLATFORM_TENANT_ID
from tests.cast import PASSWORD, acting_as, company
from tests.database import run_apart

LOGIN = "/account/login/"


def sign_in(client, member, password=PASSWORD, **more):
    return client.post(LOGIN, {"login": member.user.email, "password": password, **more})


def acts(tenant, action):
    with as_system(tenant):
        return Entry.objects.filter(action=action).count()


def link_mailed_to(user):
    """The address in the mail that the worker made of what was asked for."""
    run_apart("accounts.mail_reset_link")
    with as_system(PLATFORM_TENANT_ID):
        mail = OutboxMessage.objects.filter(user_id=user.pk).latest("queued_at")
    return re.search(r"https?://[^/]+(/account/password/reset/\S+)", mail.body)[1]


def test_a_member_lands_in_their_tenant_and_it_is_logged(client_of, acme):
    answer = sign_in(client_of, acme.editor)
    assert answer.status_code == 302
    assert client_of.get("/account/start/", follow=True).request["PATH_INFO"] == acme.url()
    assert acts(acme.id, "session.opened") == 1


def test_a_wrong_password_is_refused_keeps_the_address_and_is_logged(client_of, acme):
    before = acts(PLATFORM_TENANT_ID, "session.refused")
    answer = sign_in(client_of, acme.editor, "wrong horse")
    assert answer.status_code in {200, 422}
    assert acme.editor.user.email.encode() in answer.content
    assert b"wrong horse" not in answer.content
    assert acts(PLATFORM_TENANT_ID, "session.refused") == before + 1
    assert client_of.get(acme.url()).status_code == 302


@pytest.mark.parametrize("door", ["page", "api"])
def test_a_wrong_password_is_told_to_every_tenant_of_the_person_and_to_no_other(acme, globex, door):
    other = company("initech")
    with acting_as(globex.owner):
        people.add_member(acme.editor.user, role="viewer", by=globex.owner)
    for email in (acme.editor.user.email.upper(), f"nobody@{acme.slug}.example"):
        sent = {"login": email, "email": email, "password": "wrong horse", "tenant": acme.slug}
        if door == "page":
            Client(REMOTE_ADDR="198.51.100.7").post(LOGIN, sent)
        else:
            sent.pop("login")
            Client(REMOTE_ADDR="198.51.100.7").post("/api/v1/auth/token", sent, content_type="application/json")
    assert acts(acme.id, "password.refused") == 0
    run_apart("accounts.tell_of_wrong_password")
    assert [acts(one.id, "password.refused") for one in (acme, globex, other)] == [1, 1, 0]
    with as_system(acme.id):
        told = Entry.objects.get(action="password.refused")
        assert (told.actor_type, told.actor_id, told.target_id) == ("anonymous", None, acme.editor.pk)
        assert PrivateValue.objects.get(entry=told, name="address").value == "198.51.100.7"
        assert "wrong horse" not in str(told.document)


def test_an_unknown_address_is_refused_in_the_same_words(client_of, acme):
    def words(answer):
        return re.sub(r"\s+", " ", re.search(r"<div class=\"notice bad.*?</div>", answer.content.decode(), re.S)[0])

    known = sign_in(client_of, acme.editor, "wrong horse")
    unknown = client_of.post(LOGIN, {"login": "nobody@nowhere.example", "password": "wrong horse"})
    assert words(known) == words(unknown)


def test_guessing_is_slowed_down(client_of, acme):
    for _attempt in range(12):
        answer = sign_in(client_of, acme.editor, "wrong horse")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert sign_in(client_of, acme.editor).status_code != 302


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_signing_in_leads_to_no_other_site(client_of, acme, target):
    answer = sign_in(client_of, acme.editor, next=target)
    assert answer.status_code == 302
    assert "evil" not in answer["Location"]
    assert "javascript" not in answer["Location"]


def test_signing_out_ends_the_session(client_of, acme):
    sign_in(client_of, acme.editor)
    stolen = client_of.cookies.output()
    assert client_of.get(acme.url()).status_code == 200
    client_of.post("/account/logout/")
    client_of.cookies.load(stolen.replace("Set-Cookie: ", ""))
    assert client_of.get(acme.url()).status_code == 302


def test_looking_at_the_way_out_does_not_sign_out(client_of, acme):
    sign_in(client_of, acme.editor)
    client_of.get("/account/logout/")
    assert client_of.get(acme.url()).status_code == 200


def test_a_forgotten_password_is_reset_by_a_link_that_works_once(client_of, acme):
    client_of.post("/account/password/reset/", {"email": acme.editor.user.email})
    link = link_mailed_to(acme.editor.user)
    form = client_of.get(link, follow=True)
    place = form.request["PATH_INFO"]
    new = "another long horse battery"
    assert client_of.post(place, {"password1": new, "password2": new}).status_code == 302
    assert sign_in(client_of, acme.editor).status_code != 302
    assert sign_in(client_of, acme.editor, new).status_code == 302
    client_of.logout()
    assert "password1" not in client_of.get(link, follow=True).content.decode()


def test_a_reset_for_nobody_sends_nothing_and_says_the_same(client_of, acme):
    run_apart("accounts.mail_reset_link")  # what other tests asked for
    known = client_of.post("/account/password/reset/", {"email": acme.editor.user.email}, follow=True)
    with as_system(PLATFORM_TENANT_ID):
        before = OutboxMessage.objects.count()
    run_apart("accounts.mail_reset_link")
    with as_system(PLATFORM_TENANT_ID):
        assert OutboxMessage.objects.count() == before + 1
    unknown = client_of.post("/account/password/reset/", {"email": "nobody@nowhere.example"}, follow=True)
    run_apart("accounts.mail_reset_link")
    with as_system(PLATFORM_TENANT_ID):
        assert OutboxMessage.objects.count() == before + 1
    assert known.request["PATH_INFO"] == unknown.request["PATH_INFO"]
    assert known.status_code == unknown.status_code


def test_nobody_makes_an_account_of_their_own(client_of):
    assert client_of.get("/account/signup/").status_code == 404
    assert client_of.post("/account/signup/", {"email": "me@x.example"}).status_code == 404


def test_a_log_line_carries_the_request_and_the_tenant_and_no_answer(client_of, acme, caplog):
    sign_in(client_of, acme.editor)
    with caplog.at_level(logging.WARNING):
        answer = client_of.get(acme.url("nothing-here/"))
    lines = [record.msg for record in caplog.records if record.name.startswith("django.request")]
    assert answer.status_code == 404
    assert acme.editor.user.email not in json.dumps([str(line) for line in lines])
