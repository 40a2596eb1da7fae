"""Tokens under attack: forged, confused, replayed, raced; and keys that change while tokens live."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import call_command
from django.db import connections
from rest_framework.test import APIClient

from apps.accounts import signing_keys
from apps.accounts.models import SigningKey, TokenFamily
from apps.accounts.sealed import reseal_signing_keys
from apps.audit.models import Entry
from apps.comms.models import OutboxMessage
from apps.tenants import clock
from apps.tenants.context import as_system
from apps.tenants.derived import sealer
from apps.tenants.slots import Slot, Watcher, slots
from tests.cast import PASSWORD

ROUNDS, RACERS = 20, 8


def obtain(api, member, company):
    body = {"email": member.user.email, "password": PASSWORD, "tenant": company.slug}
    return api.post("/api/v1/auth/token", body).json()


def refresh(token):
    return APIClient().post("/api/v1/auth/refresh", {"refresh": token})


def call(token):
    return APIClient().get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})


def parts(token):
    """Header and claims of a token, to be changed and signed anew."""
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def packed(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def resigned(token, header=None, **claims):
    """As somebody who had our very key would sign it."""
    head, body = parts(token)
    head |= header or {}
    body = {name: value for name, value in (body | claims).items() if value is not None}
    key = signing_keys.environment_key()
    return jwt.encode(body, key, algorithm="EdDSA", headers=head)


@pytest.fixture
def token(api, acme):
    return obtain(api, acme.editor, acme)["access"]


def test_the_way_these_tests_forge_is_right_where_nothing_is_wrong(token):
    assert call(resigned(token)).status_code == 200


CLAIMS = {
    "another audience": {"aud": "other"},
    "an audience list of others": {"aud": ["other"]},
    "no audience": {"aud": None},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "expired": {"exp": 1},
    "no end": {"exp": None},
    "an end that is no number": {"exp": "never"},
    "issued in the future": {"iat": 4_000_000_000},
    "no family": {"fam": None},
    "a family that is no id": {"fam": "x"},
    "no person": {"sub": None},
    "no scope": {"scope": None},
    "no id": {"jti": None},
    "a tenant that is no id": {"tid": "acme"},
    "a moment beyond all clocks": {"auth_time": 10**18},
    "methods that are no list": {"amr": 7},
}


@pytest.mark.parametrize("change", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_that_does_not_hold_is_refused(token, change):
    assert call(resigned(token, **change)).status_code == 401


@pytest.mark.parametrize("typ", ["JWT", "jwt", "AT+JWT ", "", None, 7, ["at+jwt"]])
def test_another_type_is_refused(token, typ):
    head, body = parts(token)
    text = f"{packed(head | {'typ': typ})}.{packed(body)}"
    signature = signing_keys.environment_key().sign(text.encode())
    assert call(f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}").status_code == 401


KIDS = ["", None, "../../dev/null", "' OR '1'='1", "0" * 16, 7, ["x"], {"x": 1}, "x" * 5000]


@pytest.mark.parametrize("kid", KIDS, ids=repr)
def test_another_key_name_is_refused(token, kid):
    head, body = parts(token)
    text = f"{packed(head | {'kid': kid})}.{packed(body)}"
    signature = signing_keys.environment_key().sign(text.encode())
    assert call(f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}").status_code == 401


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE"])
@pytest.mark.parametrize("signature", ["", "AA"])
def test_a_token_without_a_signature_is_refused(token, alg, signature):
    head, body = parts(token)
    assert call(f"{packed(head | {'alg': alg})}.{packed(body)}.{signature}").status_code == 401


@pytest.mark.parametrize("form", [Encoding.Raw, Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("alg", ["HS256", "HS512"])
def test_our_public_key_is_no_shared_secret(token, form, alg):
    shape = PublicFormat.Raw if form is Encoding.Raw else PublicFormat.SubjectPublicKeyInfo
    secret = signing_keys.environment_key().public_key().public_bytes(form, shape)
    head, body = parts(token)
    text = f"{packed(head | {'alg': alg})}.{packed(body)}"
    digest = hmac.new(secret, text.encode(), hashlib.sha256 if alg == "HS256" else hashlib.sha512).digest()
    assert call(f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}").status_code == 401


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_a_key_that_the_token_brings_along_counts_for_nothing(token, name):
    thief = Ed25519PrivateKey.generate()
    raw = thief.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(raw).rstrip(b"=").decode()}
    head, body = parts(token)
    head |= {name: jwk if name == "jwk" else "https://evil.example/keys"}
    assert call(jwt.encode(body, thief, algorithm="EdDSA", headers=head)).status_code == 401


def test_a_token_of_one_tenant_opens_no_other(api, acme, globex, token):
    assert call(resigned(token, tid=str(globex.id))).status_code == 401


@pytest.mark.parametrize("where", ["/api/v1/members", "/api/v1/platform/audit/verify"])
def test_a_refresh_token_opens_nothing(api, acme, where):
    bearer = {"Authorization": f"Bearer {obtain(api, acme.owner, acme)['refresh']}"}
    assert APIClient().post(where, headers=bearer).status_code == 401


def test_of_many_racing_refreshes_one_wins_and_all_get_what_it_got(api, acme):
    start, end = Barrier(RACERS), Barrier(RACERS)

    def turn(token):
        start.wait()
        return refresh(token)

    def close(_number):
        end.wait()
        connections.close_all()

    token = obtain(api, acme.editor, acme)["refresh"]
    with ThreadPoolExecutor(RACERS) as pool:
        for number in range(1, ROUNDS + 1):
            answers = list(pool.map(turn, [token] * RACERS))
            assert {answer.status_code for answer in answers} == {200}
            (token,) = {answer.json()["refresh"] for answer in answers}
            assert TokenFamily.objects.get(user=acme.editor.user).generation == number
        list(pool.map(close, range(RACERS)))


def test_a_lost_answer_is_given_again_within_ten_seconds_and_never_later(api, acme):
    first = obtain(api, acme.editor, acme)["refresh"]
    start = clock.now()
    with time_machine.travel(start, tick=False):
        second = refresh(first).json()["refresh"]
    with time_machine.travel(start + timedelta(seconds=9), tick=False):
        assert refresh(first).json()["refresh"] == second
    with time_machine.travel(start + timedelta(seconds=11), tick=False):
        assert refresh(first).json()["code"] == "refresh_reused"
        assert refresh(second).json()["code"] == "refresh_ended"


def test_the_token_before_the_last_one_is_never_given_again(api, acme):
    first = obtain(api, acme.editor, acme)["refresh"]
    third = refresh(refresh(first).json()["refresh"]).json()["refresh"]
    assert refresh(first).status_code == 401
    assert refresh(third).status_code == 401


def test_a_reuse_is_logged_told_to_its_person_and_heard_by_who_watches(api, acme, monkeypatch):
    heard, watchers = [], Slot()
    watchers.add(Watcher("here", heard.append))
    monkeypatch.setattr(slots, "watchers", watchers)
    first = obtain(api, acme.editor, acme)["refresh"]
    refresh(refresh(first).json()["refresh"])
    refresh(first)
    with as_system(acme.id):
        assert Entry.objects.filter(action="token.reused", actor_id=acme.editor.pk).count() == 1
        (mail,) = OutboxMessage.objects.filter(template="account/mail/token_reused")
    assert mail.to == acme.editor.user.email
    assert first not in mail.body
    assert [event.kind for event in heard] == ["token_reused"]


@pytest.mark.parametrize("generation", [0, 1, 2, 10**8])
def test_guessing_the_secret_of_any_generation_changes_nothing(api, acme, generation):
    first = obtain(api, acme.editor, acme)["refresh"]
    second = refresh(first).json()["refresh"]
    family = second.split(".")[0]
    assert refresh(f"{family}.{generation}.{'A' * 43}").status_code == 401
    assert refresh(second).status_code == 200


def test_no_refresh_token_can_be_read_from_the_database(api, acme):
    secret = obtain(api, acme.editor, acme)["refresh"].rsplit(".", 1)[1]
    row = TokenFamily.objects.filter(user=acme.editor.user).values().get()
    assert bytes(row["secret_sha256"]) == hashlib.sha256(secret.encode()).digest()
    assert secret not in str(row)


def test_refreshing_never_goes_past_thirty_days(api, acme):
    token, start = obtain(api, acme.editor, acme)["refresh"], clock.now()
    for days in (10, 20, 29):
        with time_machine.travel(start + timedelta(days=days)):
            token = refresh(token).json()["refresh"]
    with time_machine.travel(start + timedelta(days=30, minutes=1)):
        assert refresh(token).status_code == 401


def test_switching_tenants_makes_no_sign_in_younger(api, acme):
    pair, start = obtain(api, acme.editor, acme), time.time()
    with time_machine.travel(start + 240):
        bearer = {"Authorization": f"Bearer {pair['access']}"}
        switched = APIClient().post("/api/v1/auth/switch", {"tenant": acme.slug}, headers=bearer).json()
    assert parts(switched["access"])[1]["auth_time"] == parts(pair["access"])[1]["auth_time"]


@pytest.fixture
def rotation(wall):
    """Rotations of the signing key, undone afterwards: other tests sign with the environment's."""
    from tests import database

    yield lambda *names: call_command("rotate_signing_key", *names, verbosity=0)
    with database.superuser() as connection:
        connection.execute("DELETE FROM accounts_signingkey")
    signing_keys.forget()


def test_a_new_key_is_published_before_it_signs_and_the_old_one_outlives_its_tokens(api, acme, rotation):
    start, old = clock.now(), obtain(api, acme.editor, acme)["access"]
    rotation()
    made = SigningKey.objects.latest("created_at").kid
    published = api.get("/.well-known/jwks.json")
    assert {key["kid"] for key in published.json()["keys"]} == {parts(old)[0]["kid"], made}
    assert "max-age=300" in published["Cache-Control"]
    assert parts(obtain(api, acme.editor, acme)["access"])[0]["kid"] == parts(old)[0]["kid"]
    with time_machine.travel(start + timedelta(minutes=4, seconds=58)):
        late = obtain(api, acme.editor, acme)["access"]
        assert parts(late)[0]["kid"] == parts(old)[0]["kid"]
    with time_machine.travel(start + timedelta(minutes=6)):
        new = obtain(api, acme.editor, acme)["access"]
        assert parts(new)[0]["kid"] == made
        assert call(new).status_code == call(late).status_code == 200
    with time_machine.travel(start + timedelta(minutes=12)):
        assert [key["kid"] for key in api.get("/.well-known/jwks.json").json()["keys"]] == [made]


def test_a_lost_key_ends_at_once_with_all_that_it_signed(api, acme, rotation):
    old = obtain(api, acme.editor, acme)
    assert call(old["access"]).status_code == 200
    rotation("--now")
    assert call(old["access"]).status_code == 401
    new = refresh(old["refresh"]).json()["access"]
    assert call(new).status_code == 200
    assert len(api.get("/.well-known/jwks.json").json()["keys"]) == 1


def test_private_keys_are_sealed(rotation):
    from tests import database

    rotation()
    private = signing_keys.ring().keys[-1].private.private_bytes_raw()
    with database.superuser() as connection:
        (sealed,) = connection.execute("SELECT sealed FROM accounts_signingkey WHERE sealed <> ''").fetchone()
    assert base64.b64encode(private).decode() not in sealed
    assert private.hex() not in sealed
    assert sealed.startswith("v1:")  # by the keys that `rotate_encryption_key` changes


def test_a_key_that_an_earlier_version_sealed_still_signs_and_is_sealed_anew(api, acme, rotation):
    rotation("--now")
    row = SigningKey.objects.latest("created_at")
    row.sealed = sealer(signing_keys.PURPOSE).encrypt(signing_keys.opened(row.sealed)).decode()
    row.save(update_fields=["sealed"])
    signing_keys.forget()
    assert call(obtain(api, acme.editor, acme)["access"]).status_code == 200
    assert reseal_signing_keys() == 1
    assert reseal_signing_keys() == 0
    row.refresh_from_db()
    assert row.sealed.startswith("v1:")
    assert call(obtain(api, acme.editor, acme)["access"]).status_code == 200
