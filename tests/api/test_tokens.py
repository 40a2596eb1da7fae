"""Tokens through the API's own door."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import jwt
import pytest
import time_machine
from django.utils import timezone

from apps.accounts.models import Member, User
from apps.tenants.context import TenantContext, tenant_context
from tests.cast import PASSWORD


def obtain(api, member, tenant=None):
    body = {"email": member.user.email, "password": PASSWORD}
    return api.post("/api/v1/auth/token", body | ({"tenant": tenant} if tenant else {}))


def test_a_person_obtains_a_pair_and_calls_with_it(api, acme):
    answer = obtain(api, acme.editor, acme.slug)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"access", "refresh", "token_type", "expires_in"}
    assert body["expires_in"] == 300
    me = api.get("/api/v1/me", headers={"Authorization": f"Bearer {body['access']}"}).json()
    assert me["tenant"] == str(acme.id)
    assert me["member"] == str(acme.editor.pk)


def test_an_access_token_says_what_it_is(api, acme):
    token = obtain(api, acme.editor, acme.slug).json()["access"]
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["typ"]) == ("EdDSA", "at+jwt")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["tid"] == str(acme.id)
    assert 299 < claims["exp"] - claims["iat"] <= 300
    assert "role" not in claims


@pytest.mark.parametrize(("email", "password"), [("nobody@acme.example", PASSWORD), (None, "wrong password here")])
def test_a_wrong_address_and_a_wrong_password_get_the_same_answer(api, acme, email, password):
    answer = api.post("/api/v1/auth/token", {"email": email or acme.editor.user.email, "password": password})
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "wrong_credentials"


def test_a_tenant_of_others_is_refused(api, acme, globex):
    assert obtain(api, acme.editor, globex.slug).status_code == 401


def test_without_a_tenant_only_me_and_switch_answer(api, acme):
    token = obtain(api, acme.editor).json()["access"]
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    assert api.get("/api/v1/me").status_code == 200
    assert api.get("/api/v1/members").status_code == 401
    switched = api.post("/api/v1/auth/switch", {"tenant": acme.slug})
    assert switched.status_code == 200
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {switched.json()['access']}")
    assert api.get("/api/v1/members").status_code == 200


def test_switching_to_a_rival_finds_nothing(api, acme, globex):
    assert api.as_(acme.editor).post("/api/v1/auth/switch", {"tenant": globex.slug}).status_code == 404


def test_a_refresh_token_works_once_and_a_second_use_ends_the_family(api, acme):
    first = obtain(api, acme.editor, acme.slug).json()["refresh"]
    second = api.post("/api/v1/auth/refresh", {"refresh": first}).json()["refresh"]
    with time_machine.travel(timezone.now() + timedelta(seconds=11)):
        assert api.post("/api/v1/auth/refresh", {"refresh": first}).status_code == 401
        assert api.post("/api/v1/auth/refresh", {"refresh": second}).status_code == 401


def test_a_guess_does_not_end_the_family(api, acme):
    token = obtain(api, acme.editor, acme.slug).json()["refresh"]
    family, generation, secret = token.split(".")
    assert api.post("/api/v1/auth/refresh", {"refresh": f"{family}.{generation}.{secret[::-1]}"}).status_code == 401
    assert api.post("/api/v1/auth/refresh", {"refresh": token}).status_code == 200


def test_a_revoked_family_is_over(api, acme):
    token = obtain(api, acme.editor, acme.slug).json()["refresh"]
    assert api.post("/api/v1/auth/revoke", {"refresh": token}).status_code == 204
    assert api.post("/api/v1/auth/refresh", {"refresh": token}).status_code == 401


def test_an_expired_access_token_is_refused(api, acme):
    token = obtain(api, acme.editor, acme.slug).json()["access"]
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        answer = api.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert answer.json()["code"] == "token_expired"


def test_an_idle_refresh_token_is_refused(api, acme):
    token = obtain(api, acme.editor, acme.slug).json()["refresh"]
    with time_machine.travel(timezone.now() + timedelta(days=15)):
        assert api.post("/api/v1/auth/refresh", {"refresh": token}).status_code == 401


def forged(token: str, **header: str) -> str:
    head, body, signature = token.split(".")
    changed = json.loads(base64.urlsafe_b64decode(head + "==")) | header
    return ".".join([base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode(), body, signature])


@pytest.mark.parametrize("header", [{"alg": "none"}, {"typ": "JWT"}, {"kid": "another"}, {"alg": "HS256"}])
def test_a_token_with_another_header_is_refused(api, acme, header):
    token = obtain(api, acme.editor, acme.slug).json()["access"]
    answer = api.get("/api/v1/me", headers={"Authorization": f"Bearer {forged(token, **header)}"})
    assert answer.status_code == 401


def test_a_member_who_was_removed_is_out_at_the_next_call(api, acme):
    client = api.as_(acme.editor)
    assert client.get("/api/v1/members").status_code == 200
    with tenant_context(TenantContext.system(acme.id)):
        Member.objects.filter(pk=acme.editor.pk).update(is_active=False)
    assert client.get("/api/v1/members").status_code == 401


def test_a_person_who_was_switched_off_is_out_at_the_next_call(api, acme):
    client = api.as_(acme.editor)
    User.objects.filter(pk=acme.editor.user_id).update(is_active=False)
    assert client.get("/api/v1/members").status_code == 401


def test_the_api_never_reads_the_session(browse, acme):
    answer = browse(acme.owner).get("/api/v1/members")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_bad_authorization_header_never_falls_back_to_the_session(browse, acme):
    answer = browse(acme.owner).get("/api/v1/me", headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b'{"email": 5}', b"{}", b'{"email":"a@b.example","password":"x","no":1}']
)
def test_a_malformed_body_gets_a_problem_naming_the_place(api, acme, body):
    answer = api.generic("POST", "/api/v1/auth/token", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer["X-Request-ID"]


def test_the_key_set_is_public(api, wall):
    (key,) = api.get("/.well-known/jwks.json").json()["keys"]
    assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
