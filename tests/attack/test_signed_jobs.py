"""Whoever can write into the queue's table makes no job run: each is signed, verified before a tenant is bound, or refused."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core import mail
from django.db import connection, transaction
from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app

from apps.accounts.actions.resets import PURPOSE
from apps.ai.models import Summary
from apps.audit.models import Entry, LogExport
from apps.comms.models import OutboxMessage, WebhookDelivery, WebhookEndpoint, WebhookEvent
from apps.forms.models import Export, Submission
from apps.operations.streams.actions import PURPOSE as STREAM_PURPOSE
from apps.operations.streams.models import Stream
from apps.tenants import clock
from apps.tenants.catalogue import tenant_tables
from apps.tenants.context import as_system
from apps.tenants.encryption import seal
from apps.tenants.job_signing import MAC, JobForged, opened, signed
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.security_events import Kind
from apps.tenants.slots import Watcher, slots
from tests import ai
from tests.database import superuser

TASKS = sorted(app.tasks)
JOBS = "SELECT id, status::text, attempts FROM procrastinate_jobs WHERE queue_name = %s ORDER BY id"


def names_of(task: str) -> list[str]:
    """The arguments that the function behind a task takes."""
    return list(inspect.signature(app.tasks[task].func).parameters)


def example(task: str, tenant: UUID) -> dict[str, Any]:
    """Arguments as a job of this task has them."""
    values = {name: 0 if name == "timestamp" else str(uuid4()) for name in names_of(task)}
    return values if "timestamp" in values else {"tenant_id": str(tenant), "request_id": "", **values}


def inject(task: str, arguments: dict[str, Any], queue: str) -> None:
    """Write a row into the queue as SQL injected into the app could."""
    statement = "INSERT INTO procrastinate_jobs (queue_name, task_name, args) VALUES (%s, %s, %s)"
    with connection.cursor() as cursor:
        cursor.execute(statement, [queue, task, json.dumps(arguments)])


def work_off(queue: str) -> list[tuple[int, str, int]]:
    """Run the worker until the queue has nothing to do; what became of each job."""

    async def run() -> None:
        connector = PsycopgConnector(conninfo=settings.DATABASE_DIRECT_URL)
        async with app.with_connector(connector).open_async() as worker:
            await worker.run_worker_async(
                queues=[queue], wait=False, install_signal_handlers=False, listen_notify=False, concurrency=1
            )

    asyncio.run(run())
    with superuser() as admin:
        return [(int(job), str(status), int(tries)) for job, status, tries in admin.execute(JOBS, [queue]).fetchall()]  # type: ignore[call-overload]


def fingerprint(tenant: UUID) -> dict[str, str]:
    """All rows of a tenant but its log."""
    found = {}
    with superuser() as admin:
        for table in tenant_tables():
            if not table.startswith("audit_") or table == "audit_logexport":
                statement = f"SELECT coalesce(string_agg(t::text, '|' ORDER BY t.id), '') FROM \"{table}\" t WHERE tenant_id = %s"
                found[table] = str(admin.execute(statement, [tenant]).fetchone())  # type: ignore[call-overload]
    return found


def forged_entries(tenant: UUID) -> list[dict[str, Any]]:
    with as_system(tenant):
        return [
            json.loads(bytes(one.body))["facts"] for one in Entry.objects.filter(action="job.forged").order_by("id")
        ]


def test_the_walk_finds_the_tasks_and_nothing_of_the_library():
    assert {"comms.send_mail", "forms.make_export", "audit.verify_all", "comms.process_inbound"} <= set(TASKS)
    assert len(TASKS) >= 12
    assert not [name for name in TASKS if "builtin" in name]


@pytest.mark.parametrize("name", TASKS)
def test_no_task_runs_a_job_that_was_not_signed_for_it(wall, name):
    """Beneath the task nothing may be called: the first function of ours that it reaches would say so."""
    own, other = uuid4(), uuid4()
    honest = signed(name, example(name, own))
    assert opened(name, json.loads(json.dumps(honest)))
    changed = {key: 1 if key == "timestamp" else str(uuid4()) for key in names_of(name)}
    forged = {
        "no mac": {key: value for key, value in honest.items() if key != MAC},
        "an empty mac": honest | {MAC: ""},
        "no text": honest | {MAC: 5},
        "a guess": honest | {MAC: "0" * 64},
        **({"a mac of other arguments": honest | changed} if changed else {}),
        "one argument more": honest | {"more": "x"},
        "a mac of another task": honest | {MAC: signed("some.other", example(name, own))[MAC]},
        "a mac of another tenant": signed(name, example(name, other)) | {"tenant_id": str(own)},
    }
    for what, arguments in forged.items():
        with pytest.raises(JobForged):
            app.tasks[name](**arguments)
            pytest.fail(what)


def test_a_forged_job_of_every_kind_fails_for_good_and_is_told_and_recorded(acme, globex):
    """Through the queue and a worker, as the app's own role writes them; no task is left out, and none is tried again."""
    queue, heard = f"forged-{uuid4().hex}", []
    slots.watchers.add(Watcher("test.forged", lambda event: heard.append((event.kind, event.facts))))
    before, platform = fingerprint(acme.id), len(forged_entries(PLATFORM_TENANT_ID))
    for name in TASKS:
        inject(name, example(name, acme.id), queue)
        inject(name, signed(name, example(name, globex.id)) | {"tenant_id": str(acme.id)}, queue)
    inject("comms.send_mail", {"tenant_id": "no id; DROP", "message_id": "x"}, queue)
    inject("comms.send_mail", {"tenant_id": str(uuid4()), "message_id": "x"}, queue)
    try:
        outcome = work_off(queue)
    finally:
        slots.watchers._entries.pop("test.forged")
    assert {(status, tries) for _, status, tries in outcome} == {("failed", 1)}
    assert len(outcome) == len(heard) == 2 * len(TASKS) + 2
    assert {kind for kind, _ in heard} == {Kind.JOB_FORGED}
    assert {facts["task"] for _, facts in heard} == set(TASKS)
    assert not any("DROP" in str(facts) for _, facts in heard)
    assert fingerprint(acme.id) == before
    kept = forged_entries(acme.id)
    assert {(facts["task"], facts["reason"]) for facts in kept} >= {(name, "wrong") for name in TASKS}
    assert {facts["task"] for facts in kept if facts["reason"] == "missing"} == {
        name for name in TASKS if "timestamp" not in names_of(name)
    }
    # What names no tenant, or one that is not there, stands in the platform's log.
    assert len(forged_entries(PLATFORM_TENANT_ID)) == platform + len(heard) - len(kept)
    assert forged_entries(globex.id) == []


def rows_of(api: Any, company: Any) -> dict[str, UUID | str]:
    """One row that waits for each kind of job, by the name of its argument: a kind that is new fails until it is here."""
    submission, _task = ai.waiting(api, company)
    with as_system(company.id), transaction.atomic():
        sent = Submission.objects.with_all().get(pk=submission)
        endpoint = WebhookEndpoint.objects.create(url="https://hooks.example/x", events=["submission.sent"])
        event = WebhookEvent.objects.create(type="submission.sent", payload="{}")
        summary = Summary.objects.create(
            submission=sent, revision=sent.current_revision, sha256="0" * 64, asked_by=company.reviewer
        )
        log = LogExport.objects.create(requested_by=company.owner.user_id, format="csv", expires_at=clock.now())
        message = OutboxMessage.objects.create(
            to="a@company.example", template="x", subject="A word", body="x", dedupe=uuid4().hex
        )
        stream = Stream.objects.create(url="https://logs.example/x", secret=seal(STREAM_PURPOSE, "x"))
        return {
            "message_id": message.pk,
            "sealed": seal(PURPOSE, json.dumps({"email": "nobody@nowhere.example", "caller": {}})),
            "delivery_id": WebhookDelivery.objects.create(endpoint=endpoint, event=event).pk,
            "export_id": Export.objects.create(requested_by=company.owner, expires_at=clock.now()).pk,
            "summary_id": summary.pk,
            "stream_id": stream.pk,
            **dict.fromkeys(("audit.make_log_export:export_id", "audit.drop_log_export:export_id"), log.pk),
        }


def test_a_foreign_id_inside_a_job_that_is_signed_for_its_own_tenant_finds_nothing(api, acme, globex):
    foreign = rows_of(api, acme)
    before, queue = fingerprint(acme.id), f"foreign-{uuid4().hex}"
    tried = set()
    for name in TASKS:
        wanted = [one for one in names_of(name) if one not in ("timestamp", "since", "event_id")]
        if wanted:
            arguments = {
                "tenant_id": str(globex.id),
                "request_id": "",
                **{one: str(foreign.get(f"{name}:{one}", foreign.get(one))) for one in wanted},
            }
            assert "None" not in arguments.values(), f"{name}: make a row for it in rows_of"
            inject(name, signed(name, arguments), queue)
            tried.add(name)
    assert tried >= {
        "comms.send_mail",
        "comms.deliver_webhook",
        "forms.make_export",
        "forms.drop_export",
        "ai.write_summary",
    }
    sent = len(mail.outbox) if hasattr(mail, "outbox") else 0
    assert len(work_off(queue)) == len(tried)
    assert fingerprint(acme.id) == before
    assert (len(mail.outbox) if hasattr(mail, "outbox") else 0) == sent
    assert forged_entries(globex.id) == []
    # The control: signed for the tenant whose row it is, the same job finds it.
    control = f"control-{uuid4().hex}"
    inject(
        "comms.send_mail",
        signed("comms.send_mail", {"tenant_id": str(acme.id), "message_id": str(foreign["message_id"])}),
        control,
    )
    assert [status for _, status, _ in work_off(control)] == ["succeeded"]
    assert fingerprint(acme.id)["comms_outboxmessage"] != before["comms_outboxmessage"]


def test_periodic_jobs_are_signed_by_whoever_queues_them(wall):
    periodic = [entry.task for entry in app.periodic_registry.periodic_tasks.values()]
    assert len(periodic) >= 5
    for task in periodic:
        made = task.configure(task_kwargs={"timestamp": 5}).job
        assert opened(task.name, made.task_kwargs) == {"timestamp": 5}
        assert made.queueing_lock == task.name


def test_a_secret_is_changed_with_overlap(settings):
    old = signed("a.task", {"tenant_id": "x"})
    before, settings.SECRET_KEY = settings.SECRET_KEY, "another secret of at least thirty-two characters"
    with pytest.raises(JobForged):
        opened("a.task", old)
    settings.SECRET_KEY_FALLBACKS = [before]
    assert opened("a.task", old) == {"tenant_id": "x"}
    assert signed("a.task", {"tenant_id": "x"})[MAC] != old[MAC]
