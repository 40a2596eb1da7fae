"""Providers that lie, and people who bring the answer of another sign-in: none of them opens anything."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

from apps.accounts.models import Member
from apps.accounts.sso import actions, provider
from apps.tenants.context import as_system
from apps.tenants.refusals import Refused
from tests import identity_provider
from tests.cast import acting_as
from tests.identity_provider import CLIENT, SECRET, SHARED, Signer
from tests.sso import acts, come, connect, known_as, leave, mail_domain, prove


@pytest.fixture
def other(settings):
    settings.EGRESS_LOOPBACK = True
    with identity_provider.serving() as found:
        yield found


@pytest.fixture
def acme_idp(acme, idp):
    """The company's provider; its editor is linked as s-1."""
    prove(acme)
    connection = connect(acme, idp)
    with as_system(acme.id):
        actions.link(connection, subject="s-1", member=acme.editor)
    return connection


def segment(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def hmac_signed(key):
    """A token signed by HS256 with a key that the attacker knows; PyJWT would not make it, so by hand."""
    import hashlib
    import hmac

    def make(claims):
        body = f"{segment({'alg': 'HS256', 'typ': 'JWT', 'kid': SHARED.kid})}.{segment(claims)}"
        mac = hmac.new(key, body.encode(), hashlib.sha256).digest()
        return f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    return make


PEM = SHARED.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
STRANGER = Signer(SHARED.kid)
LIES = {
    "wrong_issuer": lambda c: SHARED.sign({**c, "iss": "https://evil.example"}),
    "no_issuer": lambda c: SHARED.sign({k: v for k, v in c.items() if k != "iss"}),
    "issuer_with_a_slash": lambda c: SHARED.sign({**c, "iss": c["iss"] + "/"}),
    "wrong_audience": lambda c: SHARED.sign({**c, "aud": "another-client"}),
    "no_audience": lambda c: SHARED.sign({k: v for k, v in c.items() if k != "aud"}),
    "many_audiences_and_no_party": lambda c: SHARED.sign({**c, "aud": [CLIENT, "another"]}),
    "another_party": lambda c: SHARED.sign({**c, "azp": "another"}),
    "wrong_nonce": lambda c: SHARED.sign({**c, "nonce": "x"}),
    "no_nonce": lambda c: SHARED.sign({k: v for k, v in c.items() if k != "nonce"}),
    "nonce_that_is_no_text": lambda c: SHARED.sign({**c, "nonce": [c["nonce"]]}),
    "expired": lambda c: SHARED.sign({**c, "exp": int(time.time()) - 120}),
    "no_end": lambda c: SHARED.sign({k: v for k, v in c.items() if k != "exp"}),
    "of_the_future": lambda c: SHARED.sign({**c, "iat": int(time.time()) + 600}),
    "of_yesterday": lambda c: SHARED.sign({**c, "iat": int(time.time()) - 86_400}),
    "an_end_that_is_no_number": lambda c: SHARED.sign({**c, "exp": True}),
    "an_end_beyond_time": lambda c: SHARED.sign({**c, "exp": 10**20}),
    "no_subject": lambda c: SHARED.sign({k: v for k, v in c.items() if k != "sub"}),
    "subject_of_another_kind": lambda c: jwt.api_jws.encode(
        json.dumps({**c, "sub": ["s-1"]}).encode(), SHARED.private, algorithm="RS256", headers={"kid": SHARED.kid}
    ),
    "alg_none": lambda c: f"{segment({'alg': 'none', 'kid': SHARED.kid})}.{segment(c)}.",
    "alg_none_in_capitals": lambda c: f"{segment({'alg': 'None', 'kid': SHARED.kid})}.{segment(c)}.",
    "hs256_with_the_client_secret": hmac_signed(SECRET.encode()),
    "hs256_with_the_public_key": hmac_signed(PEM),
    "a_strangers_key_of_the_same_name": lambda c: STRANGER.sign(c),
    "an_unknown_key": lambda c: Signer("nobody").sign(c),
    "a_key_in_the_header": lambda c: STRANGER.sign(c, jwk=STRANGER.public, kid="inside"),
    "a_key_elsewhere": lambda c: STRANGER.sign(c, jku="https://evil.example/keys", kid="elsewhere"),
    "a_changed_body": lambda c: SHARED.sign(c).split(".")[0] + "." + segment({**c, "sub": "s-1"}) + "."
    + SHARED.sign({**c, "sub": "s-2"}).split(".")[2],
    "no_token": lambda c: "",
    "nonsense": lambda c: "a.b.c",
    "a_list": lambda c: f"{segment([])}.{segment(c)}.AAAA",
}  # fmt: skip


def test_the_honest_answer_is_taken(client_of, acme, acme_idp, idp):
    assert come(client_of, acme_idp, idp, "s-1")["Location"] == acme.url()
    assert client_of.get(acme.url()).status_code == 200


@pytest.mark.parametrize("lie", LIES)
def test_a_token_that_does_not_hold_opens_nothing(client_of, acme, acme_idp, idp, lie):
    idp.answer = LIES[lie]
    answer = come(client_of, acme_idp, idp, "s-1", **known_as(acme.editor))
    assert answer.status_code == 403, answer
    assert client_of.get(acme.url()).status_code == 302
    assert acts(acme, "session.opened") == []
    assert len(acts(acme, "sso.refused")) == 1


@pytest.mark.parametrize("kind", ["ec", "weak", "symmetric", "for_encryption", "two_of_one_name"])
def test_only_a_fit_key_of_the_set_verifies(client_of, acme, acme_idp, idp, kind):
    made = {"ec": Signer("k", "ec"), "weak": Signer("k", bits=1024)}.get(kind, Signer("k"))
    idp.signer, idp.keys = made, [made]
    if kind in {"for_encryption", "symmetric"}:
        wrong = {"use": "enc"} if kind == "for_encryption" else {"kty": "oct", "k": "c2VjcmV0"}
        idp.override["/keys"] = lambda handler: handler.send(200, {"keys": [{**made.public, **wrong}]})
    if kind == "two_of_one_name":
        idp.keys = [made, Signer("k")]
    answer = come(client_of, acme_idp, idp, "s-1")
    assert answer.status_code == (302 if kind == "ec" else 403)


def test_a_new_key_is_fetched_once_and_an_unknown_one_not_again_and_again(acme, acme_idp, idp):
    assert come(Client(), acme_idp, idp, "s-1").status_code == 302
    idp.signer = Signer("next")
    idp.keys = [SHARED, idp.signer]
    assert come(Client(), acme_idp, idp, "s-1").status_code == 302
    idp.signer = Signer("never published")
    before = idp.asked.count("/keys")
    assert before == 2
    for _again in range(5):
        assert come(Client(), acme_idp, idp, "s-1").status_code == 403
    assert idp.asked.count("/keys") == before


def test_an_answer_belongs_to_the_browser_that_asked(acme, acme_idp, idp):
    """An attacker's code, brought into the victim's browser, signs nobody in; nor the other way round."""
    attacker, victim = Client(), Client()
    back = idp.agrees(leave(attacker, acme_idp), "s-1")
    assert victim.get(back).status_code == 403
    assert victim.get(acme.url()).status_code == 302
    leave(victim, acme_idp)
    assert victim.get(back).status_code == 403
    assert victim.get(acme.url()).status_code == 302


def test_a_code_of_another_browser_under_my_own_state_fails_at_pkce_and_nonce(acme, acme_idp, idp):
    attacker, victim = Client(), Client()
    stolen = parse_qs(urlsplit(idp.agrees(leave(attacker, acme_idp), "s-1")).query)["code"][0]
    mine = parse_qs(urlsplit(idp.agrees(leave(victim, acme_idp), "s-2")).query)["state"][0]
    query = urlencode({"code": stolen, "state": mine})
    answer = victim.get(f"/account/sso/{acme_idp.pk}/callback/?{query}")
    assert answer.status_code == 503
    assert acts(acme, "sso.refused")[-1].facts["reason"] == "token_status_400"
    assert victim.get(acme.url()).status_code == 302


def test_a_token_of_an_earlier_sign_in_is_not_taken_again(acme, acme_idp, idp):
    seen = []
    idp.answer = lambda claims: seen.append(SHARED.sign(claims)) or seen[0]
    assert come(Client(), acme_idp, idp, "s-1").status_code == 302
    assert come(Client(), acme_idp, idp, "s-2").status_code == 403


def test_an_answer_is_good_once(acme, acme_idp, idp):
    client = Client()
    back = idp.agrees(leave(client, acme_idp), "s-1")
    assert client.get(back).status_code == 302
    client.post("/account/logout/")
    assert client.get(back).status_code == 403
    assert client.get(acme.url()).status_code == 302


def test_an_answer_that_is_ten_minutes_old_is_none(acme, acme_idp, idp):
    import time_machine

    client = Client()
    back = idp.agrees(leave(client, acme_idp), "s-1")
    with time_machine.travel(time.time() + 601, tick=False):
        assert client.get(back).status_code == 403


def test_the_answer_of_one_provider_is_none_of_another(acme, acme_idp, idp, other):
    """Mix-up: the victim starts at the honest provider, and the answer is brought to the attacker's door, and back."""
    evil = connect(acme, other, name="evil")
    client = Client()
    back = idp.agrees(leave(client, acme_idp), "s-1")
    crossed = back.replace(str(acme_idp.pk), str(evil.pk))
    assert client.get(crossed).status_code == 403
    assert "/token" not in other.asked  # the code and the verifier never leave for the wrong provider
    assert client.get(back).status_code == 403
    assert client.get(acme.url()).status_code == 302


@pytest.mark.parametrize("says", [False, True])
@pytest.mark.parametrize(("given", "taken"), [(None, True), ("right", True), ("wrong", False)])
def test_the_issuer_of_the_answer_is_compared_and_missed_where_promised(acme, acme_idp, idp, says, given, taken):
    idp.metadata["authorization_response_iss_parameter_supported"] = says
    client = Client()
    back = idp.agrees(leave(client, acme_idp), "s-1")
    if given:
        back += "&" + urlencode({"iss": idp.issuer if given == "right" else "https://evil.example"})
    answer = client.get(back)
    expected = taken and not (says and given is None)
    assert (answer.status_code == 302) is expected
    assert (client.get(acme.url()).status_code == 200) is expected
    if not expected:
        assert "/token" not in idp.asked


def test_a_providers_own_refusal_signs_nobody_in(acme, acme_idp, idp):
    client = Client()
    state = parse_qs(urlsplit(idp.agrees(leave(client, acme_idp), "s-1")).query)["state"][0]
    answer = client.get(f"/account/sso/{acme_idp.pk}/callback/?error=access_denied&state={state}&code=x")
    assert answer.status_code == 403
    assert "access_denied" not in answer.content.decode()


def test_the_userinfo_of_another_subject_is_refused(client_of, acme, acme_idp, idp):
    idp.userinfo = {"sub": "s-1", **known_as(acme.owner)}
    assert come(client_of, acme_idp, idp, "s-2").status_code == 403
    assert acts(acme, "sso.refused")[-1].facts["reason"] == "subject_swapped"


def test_userinfo_does_not_overrule_the_token(client_of, acme, acme_idp, idp):
    idp.userinfo = {"sub": "s-3", "email": acme.owner.email, "email_verified": True, "nonce": "x", "iss": "x"}
    answer = come(client_of, acme_idp, idp, "s-3", email="x@elsewhere.example", email_verified=True)
    assert answer.status_code == 403


def test_the_provider_of_one_tenant_never_opens_another(acme, globex, idp, other):
    """CVE-2026-27197: its own provider says that it is the other tenant's owner, by every name it can think of."""
    prove(acme)
    honest = connect(acme, idp)
    with as_system(acme.id):
        actions.link(honest, subject="s-1", member=acme.owner)
    evil = connect(globex, other)
    prove(globex)
    for subject in ("s-1", str(acme.owner.user_id), acme.owner.email):
        client = Client()
        other.twist = lambda claims: {**claims, "sub": claims["sub"]}
        answer = come(client, evil, other, subject, **known_as(acme.owner))
        assert answer.status_code == 403
        assert client.get(acme.url()).status_code == 302
        assert client.get(globex.url()).status_code == 302
    with as_system(globex.id):
        assert not Member.objects.filter(user_id=acme.owner.user_id).exists()


def test_a_provider_that_knows_a_person_of_both_opens_only_its_own(acme, globex, other):
    from apps.accounts import actions as people

    with acting_as(globex.owner):
        guest = people.add_member(acme.owner.user, role="viewer", by=globex.owner)
    evil = connect(globex, other)
    with as_system(globex.id):
        actions.link(evil, subject="s-1", member=guest)
    client = Client()
    assert come(client, evil, other, "s-1").status_code == 302
    assert client.get(globex.url()).status_code == 200
    assert client.get(acme.url()).status_code == 404
    assert client.get("/account/2fa/").status_code == 404
    assert client.get("/admin/").status_code == 404


def test_a_tenant_cannot_name_anothers_address_as_its_member_by_linking(acme, globex, other):
    evil = connect(globex, other)
    prove(globex, mail_domain(acme))  # as if its DNS had been taken over too
    answer = come(Client(), evil, other, "s-1", **known_as(acme.owner))
    assert answer.status_code == 403
    assert acts(globex, "sso.refused")[-1].facts["reason"] == "known_elsewhere"


def drip(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        for _byte in range(200):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        pass


WRONG_DISCOVERY = {
    "redirects": lambda handler: handler.send(302, b"", {"Location": "http://169.254.169.254/"}),
    "huge": lambda handler: handler.send(200, b" " * 1_000_000 + b"{}"),
    "slow": drip,
    "no_json": lambda handler: handler.send(200, b"<html>"),
    "a_list": lambda handler: handler.send(200, []),
    "deep": lambda handler: handler.send(200, b"[" * 100_000),
    "fails": lambda handler: handler.send(500, {}),
}


@pytest.mark.parametrize("how", WRONG_DISCOVERY)
def test_a_discovery_that_is_none_is_refused_within_bounds(acme, idp, monkeypatch, how):
    from apps.tenants.egress import Bounds

    monkeypatch.setattr(provider, "BOUNDS", Bounds(connect=1, read=1, total=1.5, most_bytes=provider.BOUNDS.most_bytes))
    idp.override["/.well-known/openid-configuration"] = WRONG_DISCOVERY[how]
    with pytest.raises(Refused) as refused:
        connect(acme, idp)
    assert refused.value.field == "issuer"


@pytest.mark.parametrize(
    "issuer",
    ["http://169.254.169.254", "https://169.254.169.254", "https://localhost", "https://127.0.0.1:9", "https://[::1]",
     "https://10.0.0.1", "https://2130706433", "https://[::ffff:10.0.0.1]", "https://100.64.0.1", "ftp://idp.example",
     "http://idp.example", "https://user:pass@idp.example", "javascript:alert(1)"],
)  # fmt: skip
def test_an_address_inside_our_network_is_never_asked(acme, settings, issuer):
    settings.EGRESS_LOOPBACK = False
    with acting_as(acme.owner), pytest.raises(Refused):
        actions.add_connection(
            kind="oidc", name="x", issuer=issuer, client_id="x", client_secret="x", default_role="viewer",
            factor_trust="never", by=acme.owner,
        )  # fmt: skip


def test_discovery_of_another_issuer_is_refused(acme, idp):
    idp.metadata["issuer"] = "https://accounts.google.com"
    with pytest.raises(Refused):
        connect(acme, idp)


@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri", "authorization_endpoint", "userinfo_endpoint"])
@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "//evil.example/x", 5, None])
def test_discovery_that_points_out_of_the_web_is_refused(acme, idp, name, url):
    if name == "userinfo_endpoint" and url is None:
        pytest.skip("a provider may have none")
    idp.metadata[name] = url
    with pytest.raises(Refused):
        connect(acme, idp)


@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri"])
def test_a_later_discovery_that_leads_inside_is_not_followed(acme, acme_idp, idp, name):
    idp.metadata[name] = "https://169.254.169.254/latest/meta-data"
    with as_system(acme.id):
        provider.forget(acme_idp)
    assert come(Client(), acme_idp, idp, "s-1").status_code == 503
    assert acts(acme, "sso.refused")[-1].facts["reason"].endswith("address_refused")


NO_ADDRESSES = ["{long}@{domain}", "a@b@{domain}", '"a@b"@{domain}', "x\r\nBcc: y@{domain}", "x\x00@{domain}", "a b@{domain}",
                "x\u202e@{domain}", "x,y@{domain}", "<x@{domain}", "@@{domain}", "{domain}"]  # fmt: skip


@pytest.mark.parametrize("email", NO_ADDRESSES)
def test_an_address_that_is_none_lets_nobody_in_and_says_so(acme, acme_idp, idp, email):
    claims = {"email": email.format(long="a" * 300, domain=mail_domain(acme)), "email_verified": True, "name": "Nobody"}
    answer = come(Client(), acme_idp, idp, "s-9", **claims)
    assert (answer.status_code, "as your e-mail address is none" in answer.content.decode()) == (403, True)
    assert acts(acme, "sso.refused")[-1].facts["reason"] == "address_is_none"
    with as_system(acme.id):
        assert not Member.objects.filter(user__name="Nobody").exists()


@pytest.mark.parametrize("email", NO_ADDRESSES)
def test_whoever_is_linked_comes_in_whatever_the_provider_calls_their_address(acme, acme_idp, idp, email):
    client = Client()
    claims = {"email": email.format(long="a" * 300, domain=mail_domain(acme)), "email_verified": True}
    assert come(client, acme_idp, idp, "s-1", **claims)["Location"] == acme.url()


def test_a_name_is_one_line_that_the_database_takes(acme, acme_idp, idp):
    claims = {
        "email": f"new@{mail_domain(acme)}",
        "email_verified": True,
        "name": "No\x00ra\r\nBcc:  x\u202e" + "y" * 300,
    }
    assert come(Client(), acme_idp, idp, "s-9", **claims).status_code == 302
    with as_system(acme.id):
        name = Member.objects.get(user__email=claims["email"]).name
    assert (name[:12], len(name), name.isprintable()) == ("No ra Bcc: x", 200, True)


def test_nobody_becomes_an_owner_by_joining(acme, idp):
    from apps.tenants.refusals import Invalid

    with pytest.raises(Invalid):
        connect(acme, idp, default_role="owner")
