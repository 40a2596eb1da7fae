"""What the API and the anchors hand out is what the standalone verifier takes: both keys of a log, and what was kept."""

from __future__ import annotations

from io import StringIO

import pytest

from apps.operations import anchors
from tests.faults.test_anchors import configured, sign
from tests.unit.test_the_verifier import INCOMPLETE, TAMPERED, WHOLE, verifier


@pytest.fixture
def folder(monkeypatch, tmp_path):
    with configured(monkeypatch, ORKESTRA_AUDIT_ANCHORS=f"file://{tmp_path}/anchors"):
        yield tmp_path / "anchors"


@pytest.mark.every_tenant
def test_an_export_is_whole_by_the_keys_of_the_api_and_continues_the_anchors(api, acme, globex, folder, tmp_path):
    sign(globex)
    sign(acme)
    anchors.publish()
    (head,), (leaves,) = ([str(path) for path in folder.rglob(f"*{end}")] for end in (".checkpoint", ".jsonl"))
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
