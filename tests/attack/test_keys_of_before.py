"""After a change of keys, who was told both fingerprints verifies what either signed; a bundle vouches for no key itself."""

from __future__ import annotations

import base64
from io import StringIO
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import transaction

from apps.audit import keys
from apps.audit.actions import record
from apps.audit.models import Entry
from tests.cast import acting_as
from tests.faults.test_anchors import configured, sign
from tests.rotation import of_whole_logs
from tests.unit.test_the_verifier import verifier

pytestmark = pytest.mark.every_tenant
WHOLE, TAMPERED, INCOMPLETE, COULD_NOT_RUN = 0, 1, 3, 4


@pytest.fixture
def changed(api, acme, monkeypatch, tmp_path):
    """A log with a receipt and a mailed checkpoint of the old key, exported after a change of keys was finished."""
    path, before = tmp_path / "audit.pem", settings.CONFIG.text(keys.VARIABLE)
    path.write_text(before)
    of_whole_logs(monkeypatch, acme)
    with configured(monkeypatch, ORKESTRA_AUDIT_KEY_FILE=str(path), ORKESTRA_AUDIT_ANCHORS=""):
        (old,) = keys.public_keys()
        with acting_as(acme.owner), transaction.atomic():
            record("team.created", receipt=True)
        mail = tmp_path / "mail.txt"
        mail.write_text(sign(acme).note)
        call_command("rotate_audit_key", stdout=StringIO())
        new = keys.public_keys()[0]
        call_command("rotate_audit_key", finish=True, stdout=StringIO())
        sign(acme)
        place = tmp_path / "bundle.zip"
        place.write_bytes(b"".join(api.as_(acme.owner).get("/api/v1/audit/export").streaming_content))
        yield SimpleNamespace(company=acme, old=old, new=new, bundle=place, mail=mail)
        path.write_text(path.read_text() + before)
        sign(acme)  # so that what asks the instance log after this test finds a key that it knows


def verdict(changed, *publics, more=()):
    said = StringIO()
    given = [word for public in publics for word in ("--key", keys.fingerprint(public))]
    return verifier.main([str(changed.bundle), *given, *more, "--processes", "1"], said), said.getvalue()


def test_both_fingerprints_verify_what_the_old_key_signed_in_an_export_of_after(changed):
    code, said = verdict(changed, changed.new, changed.old)
    assert (code, "1 receipts name entries that are here, unchanged" in said) == (WHOLE, True), said
    code, said = verdict(changed, changed.new, changed.old, more=("--checkpoint", str(changed.mail)))
    assert (code, "The log continues" in said) == (WHOLE, True), said


def test_the_verifier_believes_no_key_of_before_that_only_the_bundle_names(changed):
    code, said = verdict(changed, changed.new)
    assert (code, "1 receipts are signed by keys, or for names, that you did not give" in said) == (INCOMPLETE, True)
    assert verdict(changed, changed.new, more=("--checkpoint", str(changed.mail)))[0] == COULD_NOT_RUN
    assert verdict(changed, changed.old)[0] == TAMPERED, "the old key signs no head of now"


def test_both_entries_of_a_change_of_keys_hold_both_public_keys(changed):
    with acting_as(changed.company.owner):
        for action in ("log.key_rotated", "log.key_retired"):
            told = Entry.objects.get(action=action).facts
            held = [base64.b64decode(told[name]) for name in ("new_key", "old_key")]
            assert held == [changed.new, changed.old]
            assert [told["new"], told["old"]] == [keys.fingerprint(public) for public in held]
