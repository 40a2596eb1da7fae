"""Backup and restore by the operators' commands: a round trip, and everything that must be refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from apps.operations.backup.keep import rotate
from apps.operations.backup.manifest import MANIFEST, VERIFIED, Manifest
from tests import database

from .commands import Done, manage, manage_all
from .conftest import PROJECT


class Place:
    """A database and a home, and the commands that run there."""

    def __init__(self, name: str, home: Path) -> None:
        self.name, self.home = name, home
        self.environment = database.urls(name) | {"ORKESTRA_HOME": str(home)}
        home.mkdir(parents=True, exist_ok=True)

    def manage(self, *command: str, **environment: str) -> Done:
        return manage(self.environment | environment, *command)

    def manage_all(self, *commands: Sequence[str]) -> list[Done]:
        return manage_all(self.environment, *commands)

    def ask(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with database.superuser(self.name) as connection:
            return connection.execute(statement, values).fetchall()


@pytest.fixture(scope="module")
def here(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The demo in a database and a home of its own: what is taken."""
    place = Place(f"taken_{uuid4().hex[:8]}", tmp_path_factory.mktemp("here"))
    database.create(place.name, database.MIGRATED)
    for done in place.manage_all(["seed_demo"], ["verify_audit"]):
        assert done.returncode == 0, done.stderr
    yield place
    database.drop(place.name)


@pytest.fixture
def acme(here: Place) -> object:
    """The id of the demo's first tenant."""
    return here.ask("SELECT id FROM tenants_tenant WHERE slug = 'acme'")[0][0]


def made_empty(folder: Path) -> Place:
    """A place whose database only has our roles."""
    place = Place(f"restored_{uuid4().hex[:8]}", folder)
    database.create(place.name)
    return place


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Place]:
    """Where it is restored."""
    place = made_empty(tmp_path / "there")
    yield place
    database.drop(place.name)


def folder_of(done: Done) -> Path:
    """Where the backup lies that a command has made."""
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.splitlines()[0])


@pytest.fixture(scope="module")
def first(here: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's, which no test may change."""
    return folder_of(here.manage("backup", str(tmp_path_factory.mktemp("first"))))


@pytest.fixture(scope="module")
def restored(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Path, list[Done]]]:
    """An empty place after a restore, the backup that it came from, and what the restore and a look at the log said."""
    folder = tmp_path_factory.mktemp("restored")
    source = shutil.copytree(first, folder / first.name)
    place = made_empty(folder / "there")
    yield place, source, place.manage_all(["restore", str(source)], ["verify_audit"])
    database.drop(place.name)


@pytest.fixture
def taken(first: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return shutil.copytree(first, tmp_path / "backups" / first.name)


def test_a_backup_comes_back_whole_into_an_empty_place(here, acme, restored):
    place, source, (done, verified) = restored
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Restored and verified" in done.stdout
    names = {path.name for path in (here.home / "files").rglob("*") if path.is_file()}
    assert names == {path.name for path in (place.home / "files").rglob("*") if path.is_file()}
    assert len(names) > 5
    for table in ("audit_entry", "forms_revision", "approvals_decision"):
        count = f"SELECT count(*) FROM {table} WHERE tenant_id = %s"
        assert place.ask(count, acme) == here.ask(count, acme)
    assert verified.returncode == 0
    assert (source / VERIFIED).exists()


QUEUED = """
from uuid import UUID
from apps.accounts.actions import create_api_key
from apps.accounts.models import Member
from django.db import transaction
from apps.comms.actions import publish_event
from apps.comms.models import WebhookEndpoint
from apps.operations.streams.models import Stream
from apps.tenants.context import as_system
from tests.cast import acting_as
with as_system(UUID("{tenant}")):
    owner = Member.objects.filter(role="owner").first()
with acting_as(owner), transaction.atomic():
    create_api_key(name="Lost since", scopes=["forms.read"], days=3, by=owner)
with as_system(UUID("{tenant}")), transaction.atomic():
    WebhookEndpoint.objects.create(url="https://hooks.example/in", events=["submission.sent"])
    publish_event("submission.sent")
    Stream.objects.create(url="https://logs.example/on", secret="x")
    Stream.objects.create(url="https://logs.example/off", secret="x", is_paused=True)
"""
TODO = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
    print(cursor.fetchone()[0])
"""
BEAT = f"""
from apps.operations.streams.sending import beat
beat()
{TODO}"""


def test_after_a_restore_nobody_is_signed_in_and_nothing_goes_out_by_itself(here, acme, empty, tmp_path):
    """An API key, a webhook that waits, a stream that runs and one that its owner has paused."""
    queue = ["shell", "-v", "0", "-c", QUEUED.format(tenant=acme)]
    queued, taken = here.manage_all(queue, ["backup", str(tmp_path)])
    assert queued.returncode == 0, queued.stderr
    beat, todo = (["shell", "-v", "0", "-c", code] for code in (BEAT, TODO))
    restored, reconciled, held, released, free, last = empty.manage_all(
        ["restore", str(folder_of(taken))],
        ["reconcile_audit", "--tenant", "acme"],
        beat,
        ["release_outbox"],
        todo,
        beat,
    )
    assert restored.returncode == 0
    assert empty.ask("SELECT count(*) FROM accounts_tokenfamily WHERE revoked_at IS NULL") == [(0,)]
    assert empty.ask("SELECT count(*) FROM accounts_browsersession") == [(0,)]
    assert empty.ask("SELECT name FROM accounts_apikey WHERE revoked_at IS NOT NULL") == [("Lost since",)]
    assert "accounts.ApiKey" not in reconciled.stdout, "the log tells of it"
    ((waiting,),) = empty.ask("SELECT count(*) FROM comms_outboxmessage WHERE state = 'queued'")
    assert waiting > 0
    assert "1 webhooks" in released.stdout
    found = [int(done.stdout) for done in (held, free, last)]
    assert found == [0, waiting + 1, waiting + 2], held.stderr + free.stderr + last.stderr
    running = "SELECT url FROM operations_stream WHERE held_until IS NOT NULL"
    assert empty.ask(running) == [("https://logs.example/on",)], "one that its owner paused stays so"


PROMISED = """
from uuid import UUID
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from apps.comms import actions, tasks
from apps.comms.actions import delivering, mail
from apps.comms.models import OutboxMessage, WebhookDelivery, WebhookEndpoint
from apps.tenants.context import as_system
from apps.tenants.job_signing import signed
went = []
mail._hand_over = lambda message: went.append("mail")
delivering._call = lambda delivery: went.append("webhook") or delivering.Result(status=200)
tenant = "{tenant}"
with as_system(UUID(tenant)), transaction.atomic():
    endpoint = WebhookEndpoint.objects.first() or WebhookEndpoint.objects.create(url="https://hooks.example/in", events=["audit.checkpoint"])
    (delivery,) = actions.events.tell([endpoint], "audit.checkpoint", {{}})
    message = OutboxMessage.objects.create(dedupe=str(delivery.pk), to="a@b.example", template="x", subject="x", body="x")
    mail_id, delivery_id = str(message.pk), str(delivery.pk)
tasks.send_mail(**signed("comms.send_mail", {{"tenant_id": tenant, "message_id": mail_id}}))
tasks.deliver_webhook(**signed("comms.deliver_webhook", {{"tenant_id": tenant, "delivery_id": delivery_id}}))
print(delivery_id, *went)
"""


def test_what_a_restored_installation_promises_by_itself_is_held_until_it_is_released(acme, restored):
    """As periodic tasks do: heads are told once a day, a stand-in ends by its time."""
    place, _source, _done = restored
    promise = ["shell", "-v", "0", "-c", PROMISED.format(tenant=acme)]
    done = place.manage_all(promise, ["release_outbox"], promise)
    (delivery, *went), (_other, *went_after) = (done[turn].stdout.splitlines()[-1].split() for turn in (0, 2))
    assert went == [], done[0].stdout
    assert went_after == ["mail", "webhook"], done[2].stdout
    jobs = "SELECT count(*) FROM procrastinate_jobs WHERE args->>'delivery_id' = %s AND status = 'todo'"
    assert place.ask(jobs, delivery) == [(2,)], "the one of the promise, which this test ran itself, and the release's"


def test_a_job_that_ran_when_the_backup_was_taken_is_held_too(here, empty, tmp_path):
    """A worker takes over the jobs of one that is gone: after a restore it would send this mail by itself."""
    mail = "(SELECT min(id) FROM procrastinate_jobs WHERE task_name = 'comms.send_mail' AND status = 'todo')"
    runs = f"UPDATE procrastinate_jobs SET status = 'doing' WHERE id = {mail} RETURNING id"
    ((job,),) = here.ask(runs)
    try:
        taken = here.manage("backup", str(tmp_path))
    finally:
        here.ask("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s RETURNING id", job)
    done = empty.manage("restore", str(folder_of(taken)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert empty.ask("SELECT task_name FROM procrastinate_jobs WHERE status IN ('todo', 'doing')") == []


def test_the_wall_stands_in_what_was_restored(restored):
    place, _source, (done, _verified) = restored
    assert done.returncode == 0
    with psycopg.connect(place.environment["DATABASE_URL"], autocommit=True) as app:
        assert app.execute("SELECT count(*) FROM audit_entry").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("UPDATE audit_entry SET action = ''")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("SELECT orkestra_count(gen_random_uuid(), 'members', '', -1)")


def test_one_flipped_byte_is_refused_before_anything_is_written(first, empty, tmp_path):
    flipped = []
    for part in ("database.dump", "files.tar", "manifest.json"):
        folder = shutil.copytree(first, tmp_path / part / first.name)
        raw = bytearray((folder / part).read_bytes())
        raw[raw.index(b'"parts"') + 30 if part == "manifest.json" else len(raw) // 2] ^= 1
        (folder / part).write_bytes(raw)
        flipped.append(str(folder))
    done = empty.manage_all(*(["restore", path] for path in flipped), *(["verify_backup", path] for path in flipped))
    assert [one.returncode for one in done] == [1] * 6
    assert all("Not restored" in one.stderr for one in done[:3])
    assert empty.ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    assert not (empty.home / "files").exists()


def test_a_place_with_data_is_refused(taken, here):
    done = here.manage("restore", str(taken))
    assert done.returncode == 1
    assert "has tables already" in done.stderr


def test_a_log_that_was_changed_before_the_backup_is_found(acme, here, empty, tmp_path):
    change = "UPDATE audit_entry SET outcome = %s WHERE tenant_id = %s AND outcome = %s RETURNING 1"
    here.ask(change, "refused", acme, "done")
    try:
        done = here.manage("backup", str(tmp_path / "tampered"))
    finally:
        here.ask(change, "done", acme, "refused")
    restored = empty.manage("restore", done.stdout.splitlines()[0])
    assert restored.returncode == 1
    assert "breaks at entry #0" in restored.stderr


def test_a_log_that_ends_early_is_found(acme, taken, empty):
    manifest = json.loads((taken / MANIFEST).read_text())
    manifest["heads"][str(acme)] = [10**6, "00"]
    (taken / MANIFEST).write_text(json.dumps(manifest))
    done = empty.manage("restore", str(taken))
    assert done.returncode == 1
    assert "does not end where the manifest says" in done.stderr


def test_the_backups_role_reads_past_the_wall_and_writes_nothing(acme, here):
    with psycopg.connect(here.environment["DATABASE_BACKUP_URL"], autocommit=True) as role:
        row = role.execute("SELECT count(*) FROM accounts_member WHERE tenant_id = %s", [acme]).fetchone()
        assert row == (14,)
        for statement in ("UPDATE accounts_member SET role = 'owner'", "DELETE FROM audit_entry", "CREATE TABLE x ()"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                role.execute(statement)


def test_a_backup_that_cannot_be_made_leaves_nothing_and_says_why(here, tmp_path):
    folder = tmp_path / "none"
    done = here.manage("backup", str(folder), DATABASE_BACKUP_URL="postgresql://orkestra_backup@127.0.0.1:1/none")
    assert done.returncode == 1
    assert "No backup was made" in done.stderr
    assert list(folder.iterdir()) == []


def test_a_backup_killed_in_the_middle_is_no_backup(here, tmp_path):
    folder = tmp_path / "killed"
    environment = os.environ | here.environment
    command = [sys.executable, "manage.py", "backup", str(folder)]
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None and not list(folder.glob(".partial-*/database.dump")):
        time.sleep(0.005)  # leaves the processor to the backup
    process.kill()
    process.wait()
    assert list(folder.glob("orkestra-*")) == []


def made(folder: Path, moment: datetime, *, verified: bool = False) -> Path:
    path = folder / f"orkestra-{moment:%Y%m%dT%H%M%S.%fZ}"
    path.mkdir(parents=True)
    Manifest(moment.isoformat(), 18, [], {}, {}, 0, {}).write(path)
    if verified:
        (path / VERIFIED).touch()
    return path


def test_old_backups_go_and_the_last_verified_one_stays(tmp_path):
    now = datetime(2026, 11, 24, 3, tzinfo=UTC)
    days = [*range(40), 100, 130, 400, 700, 800]
    paths = {day: made(tmp_path, now - timedelta(days=day), verified=day in {700, 800}) for day in days}
    gone = rotate(tmp_path)
    left = {day for day, path in paths.items() if path.exists()}
    assert set(range(7)) <= left, "seven days"
    assert {9, 16} <= left, "the Sundays of the last weeks"
    assert {24, 100, 130, 400} <= left, "the last of each month"
    assert 700 in left
    assert not {8, 10, 20, 30} & left
    assert len(gone) == len(days) - len(left)


def test_the_only_one_that_was_ever_restored_is_never_removed(tmp_path):
    now = datetime(2026, 11, 24, 3, tzinfo=UTC)
    old = made(tmp_path, now - timedelta(days=2000), verified=True)
    for day in range(500):
        made(tmp_path, now - timedelta(days=day))
    rotate(tmp_path)
    assert old.exists()
    assert len(list(tmp_path.iterdir())) <= 7 + 4 + 12 + 1
