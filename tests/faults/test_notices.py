"""PostgreSQL lets every role send a notice, with any text: whatever comes, the worker goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
from django.db import connections

from apps.comms.models import OutboxState
from tests import database
from tests.faults.test_mail import PROJECT, now, promise, until

CANARY = "canary-51c0de"
UNREADABLE = [CANARY, "", "[]", '{"type": "abort_job_requested", "job_id": []}', f'{{"{CANARY}": 1}}']
CHANNELS = ["procrastinate_queue_v1#mail", "procrastinate_queue_v1#webhooks"]
LISTENS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%procrastinate%'"
)
WORKERS = 4  # of one process: the quick queues' and one for each slow one


def ears() -> int:
    """How many of the worker's connections listen."""
    with database.superuser() as connection:
        return int(str(connection.execute(LISTENS).fetchone()[0]))


def dropped(app_url: str, said: Path) -> bool:
    """Send all of them as the app's role; whether the worker has told of each, on each channel."""
    with psycopg.connect(app_url, autocommit=True) as app:
        for channel in CHANNELS:
            for payload in UNREADABLE:
                app.execute("SELECT pg_notify(%s, %s)", [channel, payload])
    lines = [line for line in said.read_text().splitlines() if "notice_unreadable" in line]
    return all(sum(channel in line for line in lines) >= len(UNREADABLE) for channel in CHANNELS)


def test_a_notice_that_nobody_can_read_does_not_end_the_worker(acme, post, tmp_path: Path):
    urls = database.urls(str(connections["default"].settings_dict["NAME"]))
    said = tmp_path / "said"
    command = [sys.executable, "manage.py", "work", "--stalled-after", "1"]
    with said.open("w") as out:
        environment = os.environ | urls | {"EMAIL_URL": post.url}
        process = subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            until(lambda: ears() == WORKERS, "the worker listens")
            until(lambda: process.poll() is not None or dropped(urls["DATABASE_URL"], said), "all of them are dropped")
            assert process.poll() is None, said.read_text()[-3000:]
            message = promise(acme)
            until(lambda: now(acme, message).state == OutboxState.SENT, "a mail goes out")
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()
    assert CANARY not in said.read_text()
