"""The audit log streams to a tenant's own systems: in its order, signed, at least once, and apart from other tenants."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from standardwebhooks import Webhook, WebhookVerificationError

from apps.audit import canonical, tree
from apps.audit.actions import record
from apps.audit.models import Entry, PrivateValue, Seal
from apps.audit.sealer import seal
from apps.comms.models import OutboxMessage
from apps.operations.observe import _streams
from apps.operations.streams import actions, rules, sending
from apps.operations.streams.models import Health, Stream
from apps.tenants import clock, egress, measures
from apps.tenants.context import TenantContext, as_system, tenant_context, with_changes
from apps.tenants.models import PLATFORM_TENANT_ID
from tests import database
from tests.cast import acting_as
from tests.faults.test_mail import jobs
from tests.receiver import says

PLACE = "/api/v1/audit/streams"


def add(company: Any, url: str, **more: Any) -> tuple[Stream, str]:
    with acting_as(company.owner), with_changes(auth_time=clock.now(), amr=("pwd", "otp")):
        return actions.add_stream(url=url, by=company.owner, **more)


def act(company: Any, entries: int = 1) -> int:
    """So many acts, sealed; returns how many entries the log has."""
    with acting_as(company.owner), transaction.atomic():
        for number in range(entries):
            record("team.changed", facts={"name": f"Team {number}"})
    seal(company.id)
    with as_system(company.id):
        return Seal.objects.count()


def send(company: Any, stream: Stream) -> Stream:
    with as_system(company.id):
        sending.send(stream.pk)
        return Stream.objects.get(pk=stream.pk)


def taken(receiver: Any, path: str = "/in") -> list[dict[str, Any]]:
    return [event for call in receiver.calls if call.path == path for event in json.loads(call.body)]


def places(events: list[dict[str, Any]]) -> list[int]:
    return [int(event["sequence"]) for event in events]


def test_every_sealed_entry_arrives_in_order_signed_and_as_it_was_hashed(acme, api, receiver, monkeypatch):
    monkeypatch.setattr(rules, "MOST_BYTES", 4000)  # several messages
    api.as_(acme.owner).get("/api/v1/forms", HTTP_USER_AGENT="A very private browser")
    api.as_(acme.owner).get("/api/v1/audit/entries", HTTP_USER_AGENT="A very private browser")
    stream, secret = add(acme, f"{receiver.url}/in")
    size = act(acme, 30)
    found = send(acme, stream)
    events = taken(receiver)
    assert places(events) == list(range(size))
    assert len(receiver.calls) > 2
    with as_system(acme.id):
        assert (found.next_seq, found.behind, found.lag, found.health) == (size, 0, timedelta(), Health.HEALTHY)
    for call in receiver.calls:
        Webhook(secret).verify(call.body, call.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(call.body + b" ", call.headers)
        assert call.headers["content-type"] == "application/cloudevents-batch+json"
        assert b"private browser" not in call.body
    with as_system(acme.id):
        assert PrivateValue.objects.filter(name="agent").exists()
        ids = [str(entry) for entry in Seal.objects.order_by("seq").values_list("entry_id", flat=True)]
    for event in events:
        assert (event["specversion"], event["source"].endswith(f"/audit/{acme.id}")) == ("1.0", True)
        assert event["type"] == f"orkestra.audit.{event['data']['action']}"
        leaf = tree.leaf_hash(canonical.encode(event["data"]))
        assert base64.b64encode(leaf).decode() == event["leafhash"]
    assert [event["id"] for event in events] == ids
    assert send(acme, stream).next_seq == size
    assert len(taken(receiver)) == size, "nothing new, nothing sent"


def test_only_a_2xx_moves_it_on_and_another_destination_is_not_held_up(acme, receiver, monkeypatch):
    monkeypatch.setattr(sending, "BOUNDS", egress.Bounds(total=0.3))
    stuck, _secret = add(acme, f"{receiver.url}/stuck")
    well, _secret = add(acme, f"{receiver.url}/well")
    size, over = act(acme, 3), threading.Event()
    answers = iter([says(500), says(302, Location="http://169.254.169.254/"), lambda handler: over.wait()])

    def answer(handler: Any) -> None:
        (next(answers, says(204)) if handler.path == "/stuck" else says(204))(handler)

    receiver.answer = answer
    for said in ("HTTP 500", "HTTP 302", "No answer within"):
        failed = send(acme, stuck)
        assert (failed.next_seq, failed.health) == (0, Health.FAILING)
        assert said in failed.last_error
        assert failed.next_at > clock.now()
        assert send(acme, stuck).tries == failed.tries, "not before it is due"
        with as_system(acme.id):
            Stream.objects.filter(pk=stuck.pk).update(next_at=clock.now() - timedelta(seconds=1))
    over.set()
    assert send(acme, well).next_seq == size
    with tenant_context(TenantContext(platform=True, credential="system")):
        _streams()
    assert measures.STREAM_LAG._value.get() > 0
    assert send(acme, stuck).next_seq == size
    sent = [call for call in receiver.calls if call.path == "/stuck"]
    assert len({call.headers["webhook-id"] for call in sent}) == 1, "a repetition is known by its id"
    assert places(taken(receiver, "/well")) == list(range(size))


def test_it_is_paused_resumed_replayed_and_tested_and_each_is_recorded(acme, api, receiver):
    stream, first = add(acme, f"{receiver.url}/in", whole=False)
    door, place = api.as_(acme.owner), f"{PLACE}/{stream.pk}"
    start = stream.next_seq
    size = act(acme, 4)
    assert door.post(f"{place}/pause").json()["health"] == "paused"
    send(acme, stream)
    assert receiver.calls == []
    assert door.post(f"{place}/resume").json()["health"] == "healthy"
    send(acme, stream)
    arrived = places(taken(receiver))
    assert arrived[0] == start
    assert arrived[size - start - 1] == size - 1
    assert door.post(f"{place}/replay", {"since": 10**9}).status_code == 400
    assert door.post(f"{place}/replay", {"since": 2}).json()["next_seq"] == 2
    receiver.calls.clear()
    send(acme, stream)
    assert places(taken(receiver))[:5] == [2, 3, 4, 5, 6]
    assert door.post(f"{place}/test").status_code == 201
    assert door.post(f"{place}/test").status_code == 409
    receiver.calls.clear()
    with as_system(acme.id):
        sending.send_test(stream.pk)
    (event,) = taken(receiver)
    assert (event["type"], "sequence" in event) == ("orkestra.audit.test", False)
    assert door.get(place).json()["test_result"] == "HTTP 204"
    second = door.post(f"{place}/rotate").json()["secret"]
    act(acme)
    receiver.calls.clear()
    send(acme, stream)
    for secret in (first, second):
        Webhook(secret).verify(receiver.calls[0].body, receiver.calls[0].headers)
    assert door.delete(place).status_code == 204
    with as_system(acme.id):
        told = set(Entry.objects.filter(target_id=stream.pk).values_list("action", flat=True))
    acts = ("added", "paused", "resumed", "replayed", "tested", "secret_rotated", "removed")
    assert told == {f"stream.{name}" for name in acts}


def test_the_worker_gives_each_stream_one_job_and_a_job_of_its_own_queue(acme, receiver):
    add(acme, f"{receiver.url}/a")
    add(acme, f"{receiver.url}/b")
    act(acme)
    before = jobs(acme)
    for _ in range(3):
        sending.beat()
    assert jobs(acme) == before + 2
    assert lanes(acme) == ["streams"]


def lanes(company: Any) -> list[str]:
    with database.superuser() as admin:
        (queues,) = admin.execute(
            "SELECT array_agg(DISTINCT queue_name) FROM procrastinate_jobs WHERE args->>'tenant_id' = %s"
            " AND task_name = 'operations.send_stream'", [str(company.id)],
        ).fetchone()  # fmt: skip
        return list(queues)


def test_one_that_fails_or_answers_slowly_is_sent_apart_from_those_that_are_well(acme, globex, receiver, monkeypatch):
    receiver.answer = lambda handler: says(500 if handler.path == "/down" else 204)(handler)
    down, _secret = add(acme, f"{receiver.url}/down")
    act(acme)
    send(acme, down)
    with as_system(acme.id):
        Stream.objects.update(next_at=None)
    monkeypatch.setattr(rules, "MOST_BYTES", 4000)
    monkeypatch.setattr(rules, "SLOW_MS", 0)
    slow, _secret = add(globex, f"{receiver.url}/slow")
    size = act(globex, 30)
    receiver.calls.clear()
    assert 0 < send(globex, slow).next_seq < size
    assert len(receiver.calls) == 1, "a slow answer ends the turn"
    sending.beat()
    assert (lanes(acme), lanes(globex)) == (["streams_slow"], ["streams_slow"])
    monkeypatch.setattr(rules, "SLOW_MS", 10**6)
    assert send(globex, slow).next_seq == size
    act(globex)
    sending.beat()
    assert lanes(globex) == ["streams", "streams_slow"]


def test_owners_hear_once_of_an_outage_and_once_of_its_end(acme, receiver, monkeypatch):
    receiver.answer = says(503)
    stream, _secret = add(acme, f"{receiver.url}/in")
    act(acme)
    start, outages = clock.now(), measures.STREAM_OUTAGES._value.get()

    def told() -> list[str]:
        with as_system(acme.id):
            mails = OutboxMessage.objects.filter(
                template__startswith="operations/mail/stream_", to=acme.owner.user.email
            )
            acts = Entry.objects.filter(action__in=("stream.failing", "stream.works"), target_id=stream.pk)
            assert acts.count() == mails.count()
            return [mail.template.rpartition("_")[2] for mail in mails.order_by("queued_at")]

    for minutes, heard in ((0, []), (29, []), (31, ["failing"]), (90, ["failing"])):
        monkeypatch.setattr(clock, "now", lambda late=minutes: start + timedelta(minutes=late))
        with as_system(acme.id):
            Stream.objects.update(next_at=None)
        send(acme, stream)
        assert told() == heard, minutes
    assert measures.STREAM_OUTAGES._value.get() == outages + 1
    receiver.answer = says(204)
    with as_system(acme.id):
        Stream.objects.update(next_at=None)
    for _again in range(2):
        assert send(acme, stream).health is Health.HEALTHY
        assert told() == ["failing", "works"]
    with as_system(acme.id):
        mail = OutboxMessage.objects.get(template="operations/mail/stream_failing")
    assert "127.0.0.1" in mail.body
    assert "HTTP 503" in mail.body


def test_a_stream_is_its_tenants_own_and_adding_one_needs_a_fresh_owner(acme, globex, api, browse, settings):
    body = {"url": "https://logs.example/in"}
    made = api.as_(acme.owner).post(PLACE, body)
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    place = f"{PLACE}/{made.json()['id']}"
    assert "secret" not in api.as_(acme.owner).get(place).json()
    assert api.as_(acme.owner).post(PLACE, body).status_code == 400
    for wrong in ("http://logs.example/", "https://10.0.0.1/", "https://localhost/", "x"):
        assert api.as_(acme.owner).post(PLACE, {"url": wrong}).status_code == 400
    for method, path in (("get", ""), ("delete", ""), ("post", "/test"), ("post", "/replay"), ("post", "/rotate")):
        assert getattr(api.as_(globex.owner), method)(place + path, {}).status_code == 404
        assert getattr(api.as_(acme.viewer), method)(place + path, {}).status_code in {403, 404}
    assert api.as_(globex.owner).get(PLACE).json()["results"] == []
    with database.superuser() as connection:
        rows = connection.execute("SELECT secret FROM operations_stream").fetchall()
    assert not any(made.json()["secret"] in str(row) for row in rows)
    page = browse(acme.owner)
    assert "logs.example" in page.get(acme.url("settings/audit-log/streams/")).content.decode()
    button = acme.url(f"settings/audit-log/streams/{made.json()['id']}/act/")
    for asked, said in (
        ("pause", "It is paused"),
        ("test", "is on its way"),
        ("test", "is on its way already"),
        ("resume", "It goes on"),
    ):
        assert said in page.post(button, {"do": asked}, follow=True).content.decode(), asked
    typed = {"url": "https://10.0.0.1/in", "start": "now", "description": "Ours"}
    refused = page.post(acme.url("settings/audit-log/streams/new/"), typed)
    assert (refused.status_code, b"Ours" in refused.content) == (422, True)
    session = page.session
    session["account_authentication_methods"] = [{"method": "password", "at": clock.now().timestamp() - 3600}]
    session.save()
    assert page.get(acme.url("settings/audit-log/streams/new/")).status_code == 302
    connections.close_all()


def test_what_a_restore_holds_is_released_with_an_entry_in_each_log_concerned(acme, globex):
    held, _secret = add(acme, "https://siem.example/in")
    add(globex, "https://siem.example/in")
    with as_system(acme.id):
        Stream.objects.update(is_held=True)
    call_command("release_outbox", stdout=StringIO())
    with as_system(acme.id):
        assert not Stream.objects.get(pk=held.pk).is_held
        released = Entry.objects.get(action="stream.released")
        assert (released.actor_type, released.target_id, released.facts) == ("system", held.pk, {"next": 0})
    with as_system(globex.id):
        assert not Entry.objects.filter(action="stream.released").exists()
    with as_system(PLATFORM_TENANT_ID):
        whole = Entry.objects.filter(action="outbox.released").latest("time")
        assert whole.facts["streams"] >= 1
        assert set(whole.facts) == {"mails", "webhooks", "inbound", "streams"}


def test_the_log_tells_where_it_is_sent_and_keeps_no_key_of_the_address(acme):
    url = "https://siem.example:8443/in/s3cret"
    stream, _secret = add(acme, url)
    with acting_as(acme.owner):
        actions.remove_stream(stream, by=acme.owner)
        told = {entry.action: entry.facts for entry in Entry.objects.filter(target_id=stream.pk)}
        assert not Entry.objects.filter(body__contains=b"s3cret").exists()
    there = {"host": "siem.example:8443", "url_sha256": hashlib.sha256(url.encode()).hexdigest()}
    assert told == {"stream.added": there | {"from": 0}, "stream.removed": there | {"next": 0}}
