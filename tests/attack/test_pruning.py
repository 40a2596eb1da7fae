"""Retention takes bodies and says so; what it leaves verifies, and a body that anybody else takes is found and named."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from datetime import timedelta
from functools import lru_cache
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from apps.audit import actions, keys, private
from apps.audit.checkpoints import checkpoint
from apps.audit.models import Entry, PrivateValue, Seal, Word
from apps.audit.pruning import prune, recorded
from apps.audit.reconcile import reconcile
from apps.audit.sealer import seal
from apps.audit.verify import verify
from apps.audit.walk import Kind
from apps.billing.models import Plan, Subscription
from apps.billing.retention import prune_log
from apps.tenants import clock
from apps.tenants.caller import Caller, called_by
from apps.tenants.context import as_system
from apps.tenants.ids import new_id
from apps.tenants.models import PLATFORM_TENANT_ID
from tests import database
from tests.cast import acting_as, company

from .standing import Standing, attack, whole

VERIFIER = Path(__file__).resolve().parents[2] / "scripts" / "orkestra_verify.py"
OLD = 1100


@lru_cache(maxsize=1)
def standing() -> Standing:
    """A log whose first entries are 100 days old, with receipts and private values, signed, and a few new ones."""
    with pytest.MonkeyPatch.context() as past:
        past.setattr(actions, "clock", SimpleNamespace(now=lambda: clock.now() - timedelta(days=100)))
        made = company("longago")
        with acting_as(made.owner), called_by(Caller("198.51.100.7", "Lynx")), transaction.atomic():
            for number in range(OLD):
                actions.record("team.created", facts={"n": number}, receipt=number % 200 == 7)
    with acting_as(made.owner), transaction.atomic():
        for number in range(5):
            actions.record("team.created", facts={"n": number})
    seal(made.id)
    checkpoint(made.id)
    return Standing(made)


@pytest.fixture
def log(wall):
    """The standing log, before anything was pruned."""
    with whole(standing) as made:
        with as_system(made.id):
            old = Entry.objects.filter(time__lt=clock.now() - timedelta(days=50)).count()
        yield SimpleNamespace(company=made, id=made.id, old=old)


def verdict(log):
    with as_system(log.id):
        return verify()


def test_pruning_takes_what_is_old_says_so_and_everything_still_verifies(log, tmp_path, api):
    with as_system(log.id):
        assert PrivateValue.objects.filter(entry__seals__seq=log.old - 1).count() == 2
        assert prune(60) == log.old
        assert prune(60) == log.old
        assert Entry.objects.filter(action="audit.pruned").count() == 1
        assert [entry.facts for entry in Entry.objects.filter(action="audit.pruned")] == [
            {"until": log.old, "entries": log.old, "days": 60}
        ]
        assert Entry.objects.filter(action="", body=b"").count() == log.old
        gone = Seal.objects.get(seq=3).entry_id
        assert not PrivateValue.objects.filter(entry__seals__seq__lt=log.old).exists()
        assert not Word.objects.filter(entry_id=gone).exists()
        assert reconcile().whole
        assert private.examine().lost == 0
    found = verdict(log)
    assert (found.whole, found.pruned, found.sealed) == (True, log.old, found.until), found
    client = api.as_(log.company.owner)
    assert client.get(f"/api/v1/audit/entries/{gone}").status_code == 404
    assert client.get("/api/v1/audit/proof", {"entry": str(gone)}).status_code == 404
    rows = client.get("/api/v1/audit/entries", {"page_size": 100}).json()["results"]
    assert all(row["action"] for row in rows)
    checked(client, tmp_path, "0 whole", log)
    later = UUID(int=new_id().int + (7_200_000 << 80))  # two hours: what commits late about the pruning is not judged
    attack(
        "UPDATE audit_entry SET id = %(newest)s, time = now() WHERE id = %(entry)s",
        "UPDATE audit_seal SET entry_id = %(newest)s WHERE entry_id = %(entry)s",
        "UPDATE accounts_member SET id = %(later)s WHERE tenant_id = %(tenant)s AND role = 'viewer'",
        newest="ffffffff-ffff-7fff-bfff-ffffffffffff", entry=gone, later=later, tenant=log.id,
    )  # fmt: skip
    with as_system(log.id):
        assert str(later) in reconcile().reason, "the id of an entry that was taken proves nothing"


def checked(client, tmp_path, wanted, log, change=lambda members: members):
    """The standalone verifier over the whole log as a bundle."""
    answer = client.get("/api/v1/audit/export")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    members = change({name: archive.read(name) for name in archive.namelist()})
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    fingerprint = keys.fingerprint(keys.public_keys()[0])
    done = subprocess.run(
        [sys.executable, str(VERIFIER), str(path), "--key", fingerprint, "--processes", "1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"{done.returncode} {done.stdout.split(':')[0].lower()}" == wanted, done.stdout + done.stderr
    return done.stdout


def test_the_standalone_verifier_takes_no_missing_bodies_without_the_act(log, tmp_path, api):
    with as_system(log.id):
        prune(60)
    client = api.as_(log.company.owner)

    def one_more(members):
        """A body more than the act covers is replaced by its right leaf."""
        from apps.audit import tree

        first, _newline, rest = members["entries.jsonl"].partition(b"\n")
        members["pruned.txt"] += tree.leaf_hash(first).hex().encode() + b"\n"
        return members | {"entries.jsonl": rest}

    assert "pruned" in checked(client, tmp_path, "0 whole", log)
    assert "no entry tells" in checked(client, tmp_path, "1 tampered", log, one_more)


BLANK = """UPDATE audit_entry SET body = '', action = '', actor_type = '', actor_id = NULL, target_type = '',
           target_id = NULL, target_label = '', outcome = '', request_id = '' WHERE id = %(entry)s"""


@pytest.mark.parametrize("after_pruning", [False, True])
def test_a_body_that_a_superuser_takes_without_an_act_is_found_and_named(log, after_pruning):
    if after_pruning:
        with as_system(log.id):
            prune(60)
    seq = log.old + 2 if after_pruning else 300
    with as_system(log.id):
        entry = Seal.objects.get(seq=seq).entry_id
    assert verdict(log).whole
    attack(BLANK, entry=entry)
    found = verdict(log)
    assert (found.kind, found.first_bad) == (Kind.BODY_MISSING, seq), found


def test_a_pruned_entry_may_not_display_what_nobody_can_prove(log):
    with as_system(log.id):
        prune(60)
        entry = Seal.objects.get(seq=300).entry_id
    attack("UPDATE audit_entry SET action = 'team.created' WHERE id = %(entry)s", entry=entry)
    assert (verdict(log).kind, verdict(log).first_bad) == (Kind.DISPLAY_CHANGED, 300)


def test_a_pruned_leaf_that_is_changed_is_found(log):
    with as_system(log.id):
        prune(60)
        entry = Seal.objects.get(seq=300).entry_id
    attack("UPDATE audit_seal SET leaf = sha256(leaf) WHERE entry_id = %(entry)s", entry=entry)
    assert (verdict(log).kind, verdict(log).first_bad) == (Kind.CHAIN_CHANGED, 300)


def test_the_act_cannot_be_taken_away_afterwards(log):
    with as_system(log.id):
        prune(60)
        act = recorded()
    attack(BLANK, entry=act.act)
    assert (verdict(log).kind, verdict(log).first_bad) == (Kind.BODY_MISSING, 0)


def test_the_database_takes_nothing_young_and_nothing_without_its_act(log):
    with as_system(log.id):
        assert prune(1) == log.old  # thirty days at the least
        act, size = recorded().act, Seal.objects.count()
        for low, high, named in ((0, size, act), (0, 1, Seal.objects.get(seq=3).entry_id)):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT orkestra_prune_log(%s, %s, %s)", [named, low, high])


def test_the_plan_says_how_long_and_none_is_for_ever(log):
    with as_system(log.id):
        assert prune_log() == 0
    attack(
        "UPDATE billing_plan SET log_retention_days = 90 WHERE id = (SELECT plan_id FROM billing_subscription"
        " WHERE tenant_id = %(tenant)s)",
        tenant=log.id,
    )
    try:
        with as_system(log.id):
            assert prune_log() == log.old
    finally:
        attack("UPDATE billing_plan SET log_retention_days = NULL")
    assert not Plan.objects.exclude(log_retention_days=None).exists()


def test_an_operator_defines_how_long_a_plan_keeps_the_log(acme):
    before = Plan.objects.filter(key="small").order_by("-version").first()
    with pytest.raises(CommandError, match="at least 30 days"):
        call_command("define_plan", "small", log_days=7)
    try:
        call_command("define_plan", "small", limit=["members=7"], log_days=400, stdout=StringIO())
        call_command("set_plan", acme.slug, "small", stdout=StringIO())
        with acting_as(acme.owner):
            found = Subscription.objects.get().plan
            assert (found.version, found.log_retention_days) == (before.version + 1, 400)
            assert found.limits == before.limits | {"members": 7}
        with as_system(PLATFORM_TENANT_ID):
            assert Entry.objects.filter(action="plan.defined", target_id=found.pk).exists()
    finally:
        with database.superuser() as admin:
            admin.execute(
                "UPDATE billing_plan SET is_offered = false, log_retention_days = NULL WHERE key = 'small' AND version > %s",
                [before.version],
            )
