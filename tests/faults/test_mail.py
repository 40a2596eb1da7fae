"""Mails are promised with the act and kept whatever breaks: the mail server, or the worker in the middle of one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from django.db import connections, transaction

from apps.accounts.actions import invite
from apps.comms import actions
from apps.comms.models import OutboxMessage, OutboxState
from apps.comms.tasks import prune_queue
from apps.tenants.context import as_system
from apps.tenants.job_signing import signed
from tests import database
from tests.cast import acting_as
from tests.forms import published, step
from tests.smtp import MailServer

PROJECT = Path(__file__).resolve().parents[2]


def promise(company: Any, dedupe: str = "x") -> OutboxMessage:
    context = {"name": "Ada", "link": "http://localhost/", "reference": "R-1", "title": "Lathe", "step": "A", "due": ""}
    with acting_as(company.owner), transaction.atomic():
        return actions.queue_mail(
            to=company.owner.user.email,
            template="approvals/mail/task_waits",
            context=context,
            dedupe=dedupe,
            user_id=None,
        )


def now(company: Any, message: OutboxMessage) -> OutboxMessage:
    with as_system(company.id):
        return OutboxMessage.objects.get(pk=message.pk)


def jobs(company: Any) -> int:
    """How many jobs wait or run for the company."""
    with database.superuser() as connection:
        statement = (
            "SELECT count(*) FROM procrastinate_jobs WHERE args->>'tenant_id' = %s AND status IN ('todo', 'doing')"
        )
        return int(connection.execute(statement, [str(company.id)]).fetchone()[0])


def until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < end, f"It never happened: {what}."
        time.sleep(0.02)


@contextmanager
def worker(post: MailServer) -> Iterator[subprocess.Popen[bytes]]:
    """A second process on the test's database that works off the jobs."""
    name = str(connections["default"].settings_dict["NAME"])
    environment = os.environ | database.urls(name) | {"EMAIL_URL": post.url}
    command = [sys.executable, "manage.py", "work", "--stalled-after", "1"]
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_mail_that_is_promised_twice_is_promised_once(acme, post):
    assert promise(acme).pk == promise(acme).pk
    assert jobs(acme) == 1


def test_an_act_that_is_rolled_back_sends_nothing(acme, post):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        promise(acme)
        1 / 0
    assert jobs(acme) == 0


def test_a_mail_waits_while_the_mail_server_refuses_and_goes_out_after(acme, post):
    message = promise(acme)
    post.refuses = True
    with as_system(acme.id), pytest.raises(actions.TryAgain):
        actions.deliver(message.pk)
    waiting = now(acme, message)
    assert (waiting.state, waiting.attempts) == (OutboxState.QUEUED, 1)
    assert "not now" in waiting.last_error
    post.refuses = False
    with as_system(acme.id):
        actions.deliver(message.pk)
        actions.deliver(message.pk)
    assert now(acme, message).state == OutboxState.SENT
    assert len(post.mails) == 1


def test_the_link_of_an_invitation_is_kept_no_longer_than_until_it_is_sent(acme, post):
    with acting_as(acme.owner):
        invite(email="new@person.example", role="member", by=acme.owner)
        message = OutboxMessage.objects.get(template="account/mail/invitation")
        assert "/account/invitation/" in message.body
        actions.deliver(message.pk)
    assert len(post.mails) == 1
    assert "/account/invitation/" not in now(acme, message).body


def test_the_link_of_a_mail_that_is_given_up_is_not_kept_either(acme, post):
    post.refuses = True
    with acting_as(acme.owner):
        invite(email="new@person.example", role="member", by=acme.owner)
        message = OutboxMessage.objects.get(template="account/mail/invitation")
        for _attempt in range(actions.MAX_ATTEMPTS - 1):
            with pytest.raises(actions.TryAgain):
                actions.deliver(message.pk)
        assert "/account/invitation/" in now(acme, message).body
        actions.deliver(message.pk)
    assert now(acme, message).state == OutboxState.FAILED
    assert "/account/invitation/" not in now(acme, message).body


def test_a_mail_that_never_goes_out_is_given_up_and_says_why(acme, post):
    message = promise(acme)
    post.refuses = True
    with as_system(acme.id):
        for _attempt in range(actions.MAX_ATTEMPTS - 1):
            with pytest.raises(actions.TryAgain):
                actions.deliver(message.pk)
        actions.deliver(message.pk)
    assert now(acme, message).state == OutboxState.FAILED


def test_the_worker_tells_those_concerned_and_nobody_else(acme, post, api):
    form = published(api, acme.owner, step("manager", acme.reviewer))
    api.as_(acme.editor).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "Lathe", "total": 5}})

    def told() -> list[Message]:
        return [mail for mail in post.mails if acme.slug in mail["To"]]

    database.work_for(acme.id)
    with worker(post):
        until(told, "the approver is told")
        (task,) = api.as_(acme.reviewer).get("/api/v1/tasks").json()["results"]
        decision = {"verdict": "reject", "reason": "Too dear.", "revision": task["revision"]}
        assert api.as_(acme.reviewer).post(f"/api/v1/tasks/{task['id']}/decide", decision).status_code == 201
        until(lambda: len(told()) > 1 and jobs(acme) == 0, "the requester is told")
    assert [mail["To"] for mail in told()] == [acme.reviewer.user.email, acme.editor.user.email]
    assert "Too dear." in told()[1].get_payload()


@pytest.mark.every_tenant
def test_a_worker_killed_in_the_middle_of_a_mail_loses_nothing(acme, post):
    message = promise(acme)
    database.work_for(acme.id)
    post.free.clear()
    database.work_for(acme.id)
    with worker(post) as first:
        until(post.reached.is_set, "a mail is on its way")
        first.kill()
        first.wait()
    assert now(acme, message).state == OutboxState.QUEUED
    post.free.set()
    database.work_for(acme.id)
    with worker(post):
        until(lambda: now(acme, message).state == OutboxState.SENT, "another worker takes it over")
    ids = {mail["Message-ID"].strip() for mail in post.mails if acme.slug in mail["To"]}
    assert ids == {f"<{message.pk}.{acme.id}@localhost>"}, "a mail that arrives twice has one id"


def test_a_stalled_job_whose_work_waits_already_is_dropped_and_the_worker_goes_on(acme, post):
    """A periodic job of a worker that died, asked for again by the next one before the first was taken over."""
    insert = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, status, scheduled_at)"
        " VALUES ('default', 'operations.probe_all', NULL, 'operations.probe_all', '{}', %s, now() + %s::interval)"
        " RETURNING id"
    )
    with database.superuser() as connection:
        connection.execute("DELETE FROM procrastinate_jobs WHERE queueing_lock = 'operations.probe_all'")
        stalled = connection.execute(insert, ["doing", "-1 hour"]).fetchone()[0]
        waiting = connection.execute(insert, ["todo", "1 day"]).fetchone()[0]
    message = promise(acme)
    database.work_for(acme.id)
    with database.superuser() as connection:
        connection.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", [waiting])
    try:
        with worker(post) as process:
            until(lambda: statuses(stalled, waiting) == {waiting: "todo"}, "the stalled one is dropped")
            until(lambda: now(acme, message).state == OutboxState.SENT, "the worker goes on")
            assert process.poll() is None
    finally:
        with database.superuser() as connection:
            connection.execute("DELETE FROM procrastinate_jobs WHERE id = ANY(%s)", [[stalled, waiting]])


def statuses(*ids: int) -> dict[int, str]:
    with database.superuser() as connection:
        found = connection.execute("SELECT id, status FROM procrastinate_jobs WHERE id = ANY(%s)", [list(ids)])
        return dict(found.fetchall())


def test_jobs_that_failed_a_month_ago_are_forgotten_and_newer_ones_stay(wall):
    insert = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)"
        " VALUES ('default', 'probe', '{}', %s) RETURNING id"
    )
    with database.superuser() as connection:
        old, new, waiting = (
            connection.execute(insert, [status]).fetchone()[0] for status in ("failed", "failed", "todo")
        )
        age = "UPDATE procrastinate_events SET at = now() - interval '31 days' WHERE job_id = ANY(%s)"
        connection.execute(
            "INSERT INTO procrastinate_events (job_id, type) VALUES (%s, 'failed'), (%s, 'failed')", [old, new]
        )
        connection.execute(age, [[old, waiting]])
        prune_queue.func(**signed("comms.prune_queue", {"timestamp": 5}))
        try:
            left = connection.execute("SELECT id FROM procrastinate_jobs WHERE id = ANY(%s)", [[old, new, waiting]])
            assert {row[0] for row in left} == {new, waiting}
        finally:
            connection.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'probe'")
