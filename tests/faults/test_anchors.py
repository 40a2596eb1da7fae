"""Anchors outside the database: an old state is noticed, nothing is signed over it, and a new origin names what is lost."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from datetime import timedelta

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import transaction
from moto.server import ThreadedMotoServer

from apps.audit import keys, note, probes, sealer
from apps.audit.actions import record, record_platform
from apps.audit.anchored import held_outside
from apps.audit.checkpoints import NotSigned, checkpoint, checkpoint_instance
from apps.audit.incarnations import incarnation
from apps.audit.instance import check_instance
from apps.audit.models import Checkpoint, Entry
from apps.audit.sealer import seal
from apps.audit.verify import verify
from apps.audit.walk import Damage, Kind
from apps.comms import actions as webhooks
from apps.comms.models import OutboxMessage, WebhookDelivery
from apps.operations import anchors, origins, told
from apps.operations.places import place_of
from apps.tenants import clock
from apps.tenants.context import NOBODY, as_system, tenant_context
from apps.tenants.models import PLATFORM_TENANT_ID
from apps.tenants.slots import slots
from tests import database
from tests.cast import acting_as
from tests.rotation import of_whole_logs

pytestmark = pytest.mark.every_tenant


@contextmanager
def configured(monkeypatch, **values):
    """The environment says this inside the block."""
    before = dict(settings.CONFIG.environment)
    monkeypatch.setattr(settings.CONFIG, "environment", before | values)
    anchors.forget()
    try:
        yield
    finally:
        monkeypatch.setattr(settings.CONFIG, "environment", before)
        anchors.forget()


@pytest.fixture
def folder(monkeypatch, tmp_path):
    with configured(monkeypatch, ORKESTRA_AUDIT_ANCHORS=f"file://{tmp_path}/anchors"):
        yield tmp_path / "anchors"


def as_a_visitor_sees_it():
    with tenant_context(NOBODY):
        return probes.signed()


def sign(company, entries: int = 1) -> Checkpoint:
    with acting_as(company.owner), transaction.atomic():
        for _ in range(entries):
            record("team.created")
    seal(company.id)
    made = checkpoint(company.id)
    checkpoint_instance()
    return made


@contextmanager
def as_if_restored(size: int):
    """The database is what it was when the instance log had so many leaves; afterwards it is as before."""
    tables = {
        "audit_instanceleaf": "seq >= %s", "audit_checkpoint": "(log = 1 AND size > %s) OR (log = 0 AND place >= %s)",
    }  # fmt: skip
    with database.superuser() as admin:
        admin.execute("SET session_replication_role = replica")
        for table, where in tables.items():
            values = [size] * where.count("%s")
            admin.execute(f"CREATE TABLE public.kept_{table} AS SELECT * FROM {table} WHERE {where}", values)
            admin.execute(f"DELETE FROM {table} WHERE {where}", values)
    sealer._heads.clear()
    anchors.forget()
    try:
        yield
    finally:
        with database.superuser() as admin:
            admin.execute("DELETE FROM audit_incarnation")
            for table in tables:
                admin.execute(f"DROP TABLE public.kept_{table}")


def test_the_newest_head_is_kept_with_the_checkpoints_since_the_one_before(folder, acme, globex):
    sign(acme)
    assert anchors.publish() == [f"file://{folder}"]
    sign(globex)
    anchors.publish()
    assert anchors.publish() == []
    heads = sorted(path for path in folder.rglob("*") if path.suffix == ".checkpoint")
    leaves = sorted(path for path in folder.rglob("*") if path.suffix == ".jsonl")
    assert len(heads) == len(leaves) == 2
    assert heads[-1].stat().st_mode & 0o777 == 0o400
    assert str(globex.id) in leaves[-1].read_text()
    assert str(acme.id) not in leaves[-1].read_text()
    (newest,) = held_outside(acme.id)
    with as_system(acme.id):
        assert (newest.kind, newest.size) == ("folder", Checkpoint.objects.order_by("-size").first().size)
    assert timedelta() <= clock.now() - newest.at < timedelta(minutes=5)
    (found,) = anchors.anchored()
    with as_system(PLATFORM_TENANT_ID):
        assert found.size == Checkpoint.objects.filter(log=1).order_by("-size").first().size
        check_instance()
    assert as_a_visitor_sees_it().holds is True


def test_a_restored_old_state_is_not_signed_and_goes_on_under_a_new_origin_that_names_the_loss(folder, acme, capsys):
    before = sign(acme)
    with pytest.raises(CommandError, match="nothing is lost"):
        anchors.publish()
        call_command("open_audit_origin", yes=True)
    size = before.place + 1
    lost = sign(acme, 5)
    anchors.publish()
    with as_if_restored(size):
        with pytest.raises(NotSigned, match="an old backup is in force"):
            checkpoint(acme.id)
        with as_system(PLATFORM_TENANT_ID), pytest.raises(Damage) as found:
            check_instance()
        assert found.value.kind is Kind.TAIL_CUT
        assert as_a_visitor_sees_it().holds is False
        with pytest.raises(CommandError, match="Nothing was done"):
            call_command("open_audit_origin")
        assert f"up to #{lost.size - 1} were signed" in capsys.readouterr().out
        number = incarnation() + 1
        call_command("open_audit_origin", yes=True)
        made = checkpoint(acme.id)
        assert made.origin == f"localhost/audit/{acme.id}/{number}"
        with acting_as(acme.owner):
            told = Entry.objects.get(action="log.origin_opened").facts
            assert (told["lost_from"], told["lost_to"], told["incarnation"]) == (before.size, lost.size, number)
            assert verify().whole
        anchors.publish()
        with as_system(PLATFORM_TENANT_ID):
            check_instance()


@contextmanager
def never_made(company):
    """The database has no such tenant and no log of it; afterwards it has them again."""
    tables = {"tenants_tenant": "id", "audit_seal": "tenant_id"}
    with database.superuser() as admin:
        admin.execute("SET session_replication_role = replica")
        for table, column in tables.items():
            admin.execute(
                f"CREATE TABLE public.away_{table} AS SELECT * FROM {table} WHERE {column} = %s", [company.id]
            )
            admin.execute(f"DELETE FROM {table} WHERE {column} = %s", [company.id])
    try:
        yield
    finally:
        with database.superuser() as admin:
            admin.execute("SET session_replication_role = replica")
            for table in tables:
                admin.execute(f"INSERT INTO {table} SELECT * FROM public.away_{table}")
                admin.execute(f"DROP TABLE public.away_{table}")


def opened() -> tuple[dict, dict]:
    """Open a new origin: what the platform's log tells of it, and of each tenant that is gone, by its id."""
    since = clock.now()
    origins.open_origin(origins.find_loss())
    with as_system(PLATFORM_TENANT_ID):
        mine = list(Entry.objects.filter(action__in=["log.origin_opened", "log.lost"], time__gte=since))
    (whole,) = (entry.facts for entry in mine if entry.action == "log.origin_opened")
    return whole, {entry.target_id: entry.facts for entry in mine if entry.action == "log.lost"}


def test_what_the_platforms_own_log_lost_is_told_by_its_range(folder, acme):
    seal(PLATFORM_TENANT_ID)
    kept = checkpoint(PLATFORM_TENANT_ID)
    before = sign(acme)
    record_platform("context.forged", outcome="refused")
    seal(PLATFORM_TENANT_ID)
    lost = checkpoint(PLATFORM_TENANT_ID)
    checkpoint_instance()
    anchors.publish()
    with as_if_restored(before.place + 1):
        told, gone = opened()
    assert (told["own_from"], told["own_to"]) == (kept.size, lost.size)
    assert gone == {}


def test_a_tenant_that_came_after_the_backup_is_told_by_its_id_and_by_what_was_signed_of_it(folder, acme, globex):
    before = sign(acme)
    lost = sign(globex)
    anchors.publish()
    with as_if_restored(before.place + 1), never_made(globex):
        told, gone = opened()
    assert (told["own_from"], told["own_to"], told["logs"], told["gone"]) == (0, 0, 1, 1)
    assert {tenant: (facts["lost_from"], facts["lost_to"]) for tenant, facts in gone.items()} == {
        globex.id: (0, lost.size)
    }


def test_a_place_that_was_never_reached_keeps_everything_unsigned(monkeypatch, acme):
    with configured(monkeypatch, ORKESTRA_AUDIT_ANCHORS="s3://nowhere/x?endpoint=http://127.0.0.1:9"):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        seal(acme.id)
        with pytest.raises(NotSigned, match="cannot be read"):
            checkpoint(acme.id)


def test_no_log_is_locked_while_a_place_outside_is_asked(monkeypatch, acme):
    held: list[int] = []

    def asked():
        with database.superuser() as admin:
            mine = (
                "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            held.append(admin.execute(f"SELECT count(*) FROM pg_locks WHERE {mine}").fetchone()[0])
        return []

    monkeypatch.setattr(slots, "anchored", asked)
    sign(acme)
    assert held
    assert set(held) == {0}


@pytest.mark.parametrize("text", ["anchors", "ftp://x/y", "file://relative", "s3:///prefix", "s3://b/p?days=x"])
def test_an_address_that_is_no_place_is_refused(text):
    with pytest.raises(ImproperlyConfigured):
        place_of(text)


def test_owners_and_webhooks_get_the_head_once_and_it_counts_when_they_have_it(acme, post, receiver):
    with acting_as(acme.owner):
        webhooks.create_endpoint(url=f"{receiver.url}/in", events=["audit.checkpoint"], by=acme.owner)
    made = sign(acme, 3)
    with as_system(acme.id):
        assert told.tell()
        assert not told.tell(), "the same head once"
        assert told.told_heads() == []
        mail = OutboxMessage.objects.get(template=told.TEMPLATE)
        webhooks.deliver(mail.pk)
        webhooks.attempt(WebhookDelivery.objects.get().pk)
        assert {(kind, size) for kind, size, _at in told.told_heads()} == {("mail", made.size), ("webhook", made.size)}
    assert json.loads(receiver.calls[0].body)["data"]["note"] == made.note
    (sent,) = post.mails
    assert sent["To"] == acme.owner.user.email
    text = sent.get_payload(decode=True).decode().replace("\r\n", "\n")
    start = text.index(made.origin)
    end = text.index("\n", text.index("— " + made.origin)) + 1
    note.open_note(text[start:end], keys.verifiers(made.origin))
    assert [(one.name, one.size) for one in held_outside(acme.id)] == [
        ("mail to owners", made.size),
        ("webhook", made.size),
    ]
    sign(acme)
    with as_system(acme.id):
        assert told.tell(), "it has grown"


def test_a_forged_anchor_is_passed_over(folder, acme):
    sign(acme)
    anchors.publish()
    (real,) = anchors.anchored()
    (folder / "000009-999999999999.checkpoint").write_text(
        "localhost/audit/9\n999999999999\n" + "A" * 43 + "=\n\n— x AAAAAAAA\n"
    )
    anchors.forget()
    assert anchors.anchored() == [real]


def test_a_bucket_locks_what_it_keeps(monkeypatch, acme):
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    try:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client("s3", endpoint_url=endpoint)
        client.create_bucket(Bucket="anchors", ObjectLockEnabledForBucket=True)
        with configured(monkeypatch, ORKESTRA_AUDIT_ANCHORS=f"s3://anchors/orkestra?endpoint={endpoint}&days=30"):
            sign(acme)
            assert anchors.publish() == ["s3://anchors/orkestra/"]
            (found,) = anchors.anchored()
            kept = client.head_object(Bucket="anchors", Key="orkestra/" + found.name)
            assert kept["ObjectLockMode"] == "COMPLIANCE"
            sign(acme)
    finally:
        server.stop()


def test_a_key_is_changed_with_both_signing_and_the_hand_over_in_every_log(monkeypatch, acme, tmp_path):
    path = tmp_path / "audit.pem"
    before = settings.CONFIG.text("ORKESTRA_AUDIT_KEY")
    path.write_text(before)
    of_whole_logs(monkeypatch, acme)
    with configured(monkeypatch, ORKESTRA_AUDIT_KEY_FILE=str(path)):
        (old,) = keys.public_keys()
        first = sign(acme)
        call_command("rotate_audit_key")
        new, still = keys.public_keys()
        assert still == old
        with pytest.raises(CommandError, match="Two keys sign"):
            call_command("rotate_audit_key")
        both = checkpoint(acme.id)
        for public in (old, new):
            note.open_note(both.note, [note.Verifier(both.origin, public)])
        with acting_as(acme.owner):
            told = Entry.objects.get(action="log.key_rotated").facts
            signed = base64.b64decode(told["signed_by_old"])
            Ed25519PublicKey.from_public_bytes(old).verify(signed, b"orkestra-audit-key\n" + new)
        call_command("rotate_audit_key", finish=True)
        after = sign(acme)
        note.open_note(after.note, [note.Verifier(after.origin, new)])
        with pytest.raises(note.Unsigned):
            note.open_note(after.note, [note.Verifier(after.origin, old)])
        with acting_as(acme.owner):
            assert verify().whole
        assert after.size > both.size > first.size
        path.write_text(path.read_text() + before)
        sign(acme)  # so that what asks the instance log after this test finds a key that it knows
