"""What the API and the anchors hand out is what the standalone verifier takes: both keys of a log, and what was kept."""

from __future__ import annotations

from io import StringIO

from django.conf import settings
from django.db import transaction

from apps.audit.actions import record
from apps.audit.checkpoints import checkpoint, checkpoint_instance
from apps.audit.sealer import seal
from apps.operations import anchors
from tests.cast import acting_as
from tests.unit.test_the_verifier import INCOMPLETE, TAMPERED, WHOLE, verifier


def sign(company) -> None:
    """One more entry and all heads over it."""
    with acting_as(company.owner), transaction.atomic():
        record("team.created")
    seal(company.id)
    checkpoint(company.id)
    checkpoint_instance()


def test_an_export_is_whole_by_the_keys_of_the_api_and_continues_the_anchors(api, acme, globex, monkeypatch, tmp_path):
    values = {"ORKESTRA_AUDIT_ANCHORS": f"file://{tmp_path}/anchors"}
    monkeypatch.setattr(settings.CONFIG, "environment", settings.CONFIG.environment | values)
    anchors.forget()
    sign(globex)
    sign(acme)
    anchors.publish()
    (head,), (leaves,) = ([str(path) for path in tmp_path.glob(f"anchors/*{end}")] for end in (".checkpoint", ".jsonl"))
    door, place = api.as_(acme.owner), tmp_path / "bundle.zip"
    place.write_bytes(b"".join(door.get("/api/v1/audit/export").streaming_content))
    said = door.get("/api/v1/audit/checkpoint").json()

    def verdict(keys: list[str], *more: str) -> tuple[int, str]:
        given, out = [word for key in keys for word in ("--key", key)], StringIO()
        return verifier.main([str(place), *given, "--processes", "1", *more], out), out.getvalue()

    mine, of_all = said["keys"], said["instance"]["keys"]
    assert verdict(mine)[0] == INCOMPLETE
    code, text = verdict(mine + of_all, "--checkpoint", head, "--checkpoint", leaves)
    assert (code, text.count("continues")) == (WHOLE, 2), text
    rival = api.as_(globex.owner).get("/api/v1/audit/checkpoint").json()["keys"]
    assert verdict(rival + of_all)[0] == TAMPERED
    sign(globex)
    sign(acme)
    place.write_bytes(b"".join(door.get("/api/v1/audit/export").streaming_content))
    code, text = verdict(mine + of_all, "--checkpoint", head)
    assert (code, "cannot be compared" in text) == (INCOMPLETE, True), text
    code, text = verdict(mine + of_all, "--checkpoint", leaves)
    assert (code, "continues" in text) == (WHOLE, True), text
    anchors.forget()
