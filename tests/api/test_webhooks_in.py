"""Webhooks that come in: what cannot be shown to be genuine is refused, what is genuine counts once."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.test import Client
from standardwebhooks import Webhook
from stripe import WebhookSignature

from apps.audit.models import Entry
from apps.comms import actions
from apps.comms.models import InboundEvent, InboundState, OutboxMessage, OutboxState
from apps.tenants import security_events
from apps.tenants.context import TenantContext, as_system, tenant_context
from apps.tenants.slots import InboundHandler, Watcher, slots
from tests import database

SECRET, OTHER = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
COMMS, STRIPE = "/webhooks/comms/mail", "/webhooks/stripe"
BODY = {"type": "mail.delivered", "data": {}}


@pytest.fixture(autouse=True)
def secrets(settings, wall):
    settings.COMMS_WEBHOOK_SECRETS = {"mail": [SECRET, OTHER]}
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET, OTHER]


@pytest.fixture
def heard():
    """The security events of forged webhooks, as whoever watches hears them."""
    security_events._raised.clear()
    found, key = [], f"test-{uuid4()}"
    slots.watchers.add(Watcher(key, found.append))
    yield found
    slots.watchers._entries.pop(key)


def signed(body, *, secret=SECRET, identity="", at=0):
    raw = body if isinstance(body, str) else json.dumps(body)
    moment, identity = datetime.fromtimestamp(int(time.time()) + at, UTC), identity or f"msg_{uuid4()}"
    headers = {
        "webhook-id": identity,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(identity, moment, raw),
    }
    return raw, headers


def send(raw, headers, path=COMMS):
    client = Client(enforce_csrf_checks=True)
    return client.post(path, raw, content_type="application/json", headers=headers)


def striped(body, *, secret=SECRET, at=0):
    raw = json.dumps(body)
    header = WebhookSignature.generate_signature_header(raw, secret, timestamp=int(time.time()) + at)
    return raw, {"Stripe-Signature": header}


def event(identity=""):
    return {"id": identity or f"evt_{uuid4().hex}", "type": "customer.created", "data": {"object": {}}}


def kept(identity):
    return InboundEvent.objects.filter(event_id=identity)


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_a_genuine_message_is_kept_under_each_active_secret(secret):
    raw, headers = signed(BODY, secret=secret)
    answer = send(raw, headers)
    assert (answer.status_code, answer.json()) == (202, {"received": True, "first": True})
    row = kept(headers["webhook-id"]).get()
    assert (row.source, row.type, row.state) == ("comms:mail", "mail.delivered", InboundState.RECEIVED)
    assert "mail.delivered" not in row.sealed
    raw, headers = striped(found := event(), secret=secret)
    assert send(raw, headers, STRIPE).status_code == 202
    assert kept(found["id"]).get().source == "stripe"


@pytest.mark.parametrize("path", [COMMS, STRIPE])
def test_ten_copies_at_once_are_one_row_one_job_and_ten_good_answers(path):
    identity = f"evt_{uuid4().hex}"
    raw, headers = signed(BODY, identity=identity) if path == COMMS else striped(event(identity))

    def one(_number):
        try:
            return send(raw, headers, path)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(one, range(10)))
    assert [answer.status_code for answer in answers] == [202] * 10
    assert sorted(answer.json()["first"] for answer in answers) == [False] * 9 + [True]
    row = kept(identity).get()
    with database.superuser() as connection:
        sql = "SELECT count(*) FROM procrastinate_jobs WHERE args->>'event_id' = %s"
        assert connection.execute(sql, [str(row.pk)]).fetchone()[0] == 1


def change(headers, **more):
    return {**headers, **more}


ODD = [
    ("another body", lambda raw, h: (raw.replace("data", "Data"), h)),
    ("one more space", lambda raw, h: (raw + " ", h)),
    ("another id", lambda raw, h: (raw, change(h, **{"webhook-id": "msg_other"}))),
    ("another time", lambda raw, h: (raw, change(h, **{"webhook-timestamp": str(int(time.time()) + 1)}))),
    ("no signature", lambda raw, h: (raw, change(h, **{"webhook-signature": ""}))),
    ("no version", lambda raw, h: (raw, change(h, **{"webhook-signature": "abc"}))),
    ("too many commas", lambda raw, h: (raw, change(h, **{"webhook-signature": "v1,a,b"}))),
    ("no base64", lambda raw, h: (raw, change(h, **{"webhook-signature": "v1,é"}))),
    ("bad padding", lambda raw, h: (raw, change(h, **{"webhook-signature": "v1,abcde"}))),
    ("not a number", lambda raw, h: (raw, change(h, **{"webhook-timestamp": "now"}))),
    ("nan", lambda raw, h: (raw, change(h, **{"webhook-timestamp": "nan"}))),
    ("a huge number", lambda raw, h: (raw, change(h, **{"webhook-timestamp": "9" * 40}))),
    ("no UTF-8", lambda raw, h: (b"\xff\xfe", h)),
    ("nothing", lambda raw, h: ("", {})),
]


@pytest.mark.parametrize(("name", "spoil"), ODD, ids=[name for name, _spoil in ODD])
def test_what_is_not_genuine_is_a_400_problem_and_leaves_nothing(name, spoil, heard):
    before = InboundEvent.objects.count()
    answer = send(*spoil(*signed(BODY)))
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "webhook_not_verified"
    assert InboundEvent.objects.count() == before
    assert [one.kind for one in heard] == ["webhook_forged"]


@pytest.mark.parametrize("at", [-301, -86_400, 301, 86_400])
def test_the_window_of_time_is_closed_on_both_sides(at):
    assert send(*signed(BODY, at=at)).status_code == 400
    assert send(*striped(event(), at=at), STRIPE).status_code == 400


@pytest.mark.parametrize("at", [-290, 290])
def test_a_clock_that_is_a_little_off_is_borne(at):
    assert send(*signed(BODY, at=at)).status_code == 202
    assert send(*striped(event(), at=at), STRIPE).status_code == 202


@pytest.mark.parametrize(
    "header",
    ["", "t=1", "v1=abc", "t=x,v1=abc", "t=1_0,v1=a", "garbage", "t=,v1=", "t=1,t=2,v1=a", "v1=é", "=,=,=", "t" * 5000],
)
def test_odd_signatures_of_stripe_are_refused_and_break_nothing(header):
    assert send(json.dumps(event()), {"Stripe-Signature": header}, STRIPE).status_code == 400


def test_the_secret_of_one_door_opens_no_other(settings):
    settings.COMMS_WEBHOOK_SECRETS = {"mail": [SECRET], "sms": [OTHER]}
    assert send(*signed(BODY, secret=OTHER)).status_code == 400
    assert send(*signed(BODY, secret=OTHER), "/webhooks/comms/sms").status_code == 202
    assert send(*signed(BODY), "/webhooks/comms/unknown").status_code == 400
    settings.STRIPE_WEBHOOK_SECRETS = []
    assert send(*striped(event(), secret=""), STRIPE).status_code == 400


@pytest.mark.parametrize("body", ["[]", "1", '"x"', "{}", '{"type":""}', '{"type":5}', "[" * 100_000, '{"type":"é"}'])
def test_what_is_signed_and_still_no_event_is_refused(body):
    assert send(*signed(body)).status_code == 400


def test_a_body_that_is_too_large_is_not_read():
    assert send(*signed({"type": "x", "data": "x" * 300_000})).status_code == 413


@pytest.mark.parametrize("path", [COMMS, STRIPE])
def test_the_doors_take_post_only_and_no_session(path, acme, browse):
    assert Client().get(path).status_code == 405
    assert browse(acme.owner).post(path, "{}", content_type="application/json").status_code == 400
    assert "Set-Cookie" not in send("{}", {}, path).headers


def test_a_flood_of_forgeries_is_told_once(heard):
    for _number in range(50):
        assert send("{}", {}).status_code == 400
    assert [one.facts["source"] for one in heard] == ["comms:mail"]


def test_with_a_tenant_bound_the_inbox_is_empty(acme):
    raw, headers = signed(BODY)
    send(raw, headers)
    with as_system(acme.id):
        assert not InboundEvent.objects.exists()
    assert kept(headers["webhook-id"]).exists()


def mail_of(company):
    with as_system(company.id), transaction.atomic():
        return actions.queue_mail(
            to=company.editor.user.email,
            template="comms/mail/webhook_off",
            context={"tenant": "ACME"},
            dedupe=str(uuid4()),
            user_id=None,
        )


def told(company, type_, **data):
    """One message about a mail, through the door and through its job; what became of it."""
    raw, headers = signed({"type": type_, "data": data})
    assert send(raw, headers).status_code == 202
    row = kept(headers["webhook-id"]).get()
    with tenant_context(TenantContext.system(None)):
        actions.process(row.pk)
        actions.process(row.pk)
    row.refresh_from_db()
    assert row.sealed == "", "the content is erased when it is dealt with"
    return row


@pytest.mark.parametrize("type_", ["mail.bounced", "mail.complained"])
def test_a_mail_that_came_back_is_marked_and_the_owners_are_told(acme, globex, type_):
    mail = mail_of(acme)
    identity = f"<{mail.pk}.{acme.id}@localhost>"
    assert told(acme, type_, message_id=identity).state == InboundState.DONE
    told(acme, type_, message_id=identity)
    with as_system(acme.id):
        assert OutboxMessage.objects.get(pk=mail.pk).state == OutboxState(type_.removeprefix("mail."))
        (notice,) = OutboxMessage.objects.filter(template="comms/mail/undelivered")
        assert notice.to == acme.owner.user.email
        assert acme.editor.user.email in notice.body
        assert Entry.objects.filter(action=type_).count() == 1
    told(acme, type_, message_id=f"<{notice.pk}.{acme.id}@localhost>")
    with as_system(acme.id):
        assert OutboxMessage.objects.filter(template="comms/mail/undelivered").count() == 1, "no notice about a notice"
    with as_system(globex.id):
        assert not OutboxMessage.objects.exists()


def test_a_mail_under_another_tenants_name_is_not_found(acme, globex):
    mail = mail_of(acme)
    row = told(acme, "mail.bounced", message_id=f"<{mail.pk}.{globex.id}@localhost>")
    assert row.note == "No mail of ours has this id."
    with as_system(acme.id):
        assert OutboxMessage.objects.get(pk=mail.pk).state == OutboxState.QUEUED


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("mail.opened", {}),
        ("message.replied", {"text": "Yes"}),
        ("mail.bounced", {"message_id": "x", "permanent": False}),
    ],
)
def test_what_is_not_supported_is_kept_and_marked_ignored(acme, type_, data):
    assert told(acme, type_, **data).state == InboundState.IGNORED


def test_a_handler_that_fails_changes_nothing_and_is_tried_again(acme, monkeypatch):
    raw, headers = signed(BODY)
    send(raw, headers)
    row = kept(headers["webhook-id"]).get()

    def fail(found):
        with as_system(acme.id):
            mail_of(acme)
        raise OSError("away")

    monkeypatch.setitem(slots.inbound._entries, "comms", InboundHandler("comms", fail))
    with tenant_context(TenantContext.system(None)), pytest.raises(OSError, match="away"):
        actions.process(row.pk)
    row.refresh_from_db()
    assert (row.state, bool(row.sealed)) == (InboundState.RECEIVED, True)
    with as_system(acme.id):
        assert not OutboxMessage.objects.exists()
