"""Places of anchors that die, hang, forget or grow old: it is told where people look, and costs nobody anything else."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import httpx
import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from moto.server import ThreadedMotoServer

from apps.audit.checkpoints import NotSigned
from apps.operations import anchors, observe, places
from apps.operations.places import Bucket, Folder, Unreachable, place_of
from apps.tenants import clock, measures
from apps.tenants.context import TenantContext, tenant_context

from .test_anchors import as_a_visitor_sees_it, configured, sign

pytestmark = pytest.mark.every_tenant
PAGE = "settings/audit-log/"


@pytest.fixture
def two_folders(monkeypatch, tmp_path):
    addresses = f"file://{tmp_path}/living file://{tmp_path}/dying"
    with configured(monkeypatch, ORKESTRA_AUDIT_ANCHORS=addresses):
        yield tmp_path / "living", tmp_path / "dying"


@pytest.fixture
def asked(monkeypatch):
    """Every look at a list of names: (kind of place, after which name, what was listed)."""
    seen: list[tuple[str, str, list[str]]] = []
    for kind in (Folder, Bucket):

        def page(self, after, kind=kind, real=kind.page):
            found = real(self, after)
            seen.append((kind.__name__, after, found[0]))
            return found

        monkeypatch.setattr(kind, "page", page)
    return seen


@pytest.fixture
def bucket(monkeypatch):
    """A bucket with object lock, and whoever may write there."""
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    host, port = server.get_host_and_port()
    httpx.post(f"http://{host}:{port}/moto-api/reset").raise_for_status()  # it remembers buckets of servers before it
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    client.create_bucket(Bucket="anchors", ObjectLockEnabledForBucket=True)
    with configured(monkeypatch, ORKESTRA_AUDIT_ANCHORS=f"s3://anchors/orkestra?endpoint=http://{host}:{port}"):
        yield client
    server.stop()


def files(folder) -> list:
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.name)


def dies(folder) -> None:
    """What was kept there cannot be read any more, and nothing new can be kept."""
    (innermost,) = folder.glob("*/*")
    innermost.rename(innermost.with_name("aside"))
    innermost.write_bytes(b"")


def heard(text: str) -> str:
    return " ".join(text.split())


def test_a_place_that_died_is_told_where_people_look(two_folders, acme, browse, monkeypatch):
    living, dying = two_folders
    sign(acme)
    assert len(anchors.publish()) == 2
    assert as_a_visitor_sees_it().holds is True
    dies(dying)
    with clock.at(clock.now() - timedelta(hours=3)):
        sign(acme)
    assert anchors.publish() == [f"file://{living}"]
    found = as_a_visitor_sees_it()
    assert found.holds is False
    assert "folder 2" in found.detail
    assert "3\xa0hours" in found.detail
    monkeypatch.setattr(observe, "_next", 0.0)
    observe.observe()
    lags = {sample.labels["place"]: sample.value for sample in measures.ANCHOR_LAG.collect()[0].samples}
    assert lags["folder-1"] == 0
    assert 3 * 3600 <= lags["folder-2"] < 4 * 3600
    page = browse(acme.owner).get(acme.url(PAGE)).content.decode()
    first, second = heard(page.split("folder 1:")[1]).split("folder 2:")
    assert "behind" not in first
    assert "It has lacked newer heads for 3 hours" in second
    for text in (found.detail, page, str(lags)):
        assert str(dying.parent) not in text


def test_an_old_anchor_is_well_while_nothing_was_signed_since(two_folders, acme):
    with clock.at(clock.now() - timedelta(days=365)):
        sign(acme)
    anchors.publish()
    assert as_a_visitor_sees_it().holds is True


def test_of_a_folder_only_what_is_newer_is_looked_at(two_folders, acme, asked):
    for _ in range(3):
        sign(acme)
        anchors.publish()
    newest = anchors.anchored()[0].name
    for forgotten in (False, True):
        asked.clear()
        if forgotten:
            anchors.forget()
            anchors.anchored()
        else:
            anchors.publish()
        assert asked
        for _kind, after, names in asked:
            assert after
            assert newest in names
            assert len(names) <= 4, "a head and its leaves, and the pair before"


def test_of_a_bucket_only_what_is_newer_is_asked_for(bucket, acme, asked):
    for _ in range(3):
        sign(acme)
        anchors.publish()
    newest = anchors.anchored()[0].name
    asked.clear()
    anchors.publish()
    ((_kind, after, names),) = asked
    assert newest.startswith(after)
    assert names == [newest, newest.replace(anchors.HEAD, anchors.LEAVES)]
    assert bucket.list_objects_v2(Bucket="anchors")["KeyCount"] == 6


def test_a_list_of_many_pages_is_read_to_its_end(bucket, acme, monkeypatch):
    for _ in range(3):
        sign(acme)
        anchors.publish()
    monkeypatch.setattr(places, "PAGE", 2)
    (place,) = places.places()
    names = [item["Key"].removeprefix("orkestra/") for item in bucket.list_objects_v2(Bucket="anchors")["Contents"]]
    assert place.names() == names


def test_a_newest_head_that_is_taken_away_is_noticed_and_kept_again(two_folders, acme):
    sign(acme)
    anchors.publish()
    sign(acme)
    anchors.publish()
    before = anchors.anchored()
    *_older, gone, _leaves = files(two_folders[1])
    gone.unlink()
    assert anchors.publish() == [f"file://{two_folders[1]}"]
    assert gone.exists()
    files(two_folders[1])[-2].unlink()
    anchors._known["folder-2"].asked = float("-inf")
    assert anchors.anchored() == before, "what a place once held is never forgotten"


def test_what_earlier_versions_kept_side_by_side_is_found(two_folders, acme):
    sign(acme)
    anchors.publish()
    before = anchors.anchored()
    for folder in two_folders:
        for path in files(folder):
            path.rename(folder / path.name)
    anchors.forget()
    assert anchors.anchored() == before
    assert anchors.publish() == []


def test_the_checkpoints_beside_a_head_cost_one_question(two_folders, acme, globex):
    for _ in range(2):
        sign(acme)
        sign(globex)
    with tenant_context(TenantContext(platform=True, credential="system")), connections["platform"].cursor():
        pass
    with CaptureQueriesContext(connections["platform"]) as found:
        (text,) = [b"".join(anchors._leaves(0, 4))]
    assert text.count(b"\n") == 4
    assert b"null" not in text
    assert (
        len([one for one in found.captured_queries if "instanceleaf" in one["sql"]]) == len(found.captured_queries) == 1
    )


@contextmanager
def dripping(body: bytes):
    """The address of a server that begins to answer everything with this, and never ends."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()
            ended.wait()

        def log_message(self, format, *args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("question", [lambda place: place.names(), lambda place: place.get("x", 9000)])
def test_a_place_that_lets_its_answer_drip_holds_nobody_up(monkeypatch, question):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setattr(places, "SECONDS", 0.5)
    with dripping(b"localhost/audit\n") as address:
        place = place_of(f"s3://anchors/{id(question)}?endpoint={address}")
        for _ in range(places.MOST_WAITING):
            with pytest.raises(Unreachable, match="no answer within"):
                question(place)
        with pytest.raises(Unreachable, match="hang already"):
            question(place)


def test_a_bucket_that_fails_while_it_answers_is_unreachable(bucket, acme, monkeypatch):
    sign(acme)
    anchors.publish()
    (found,) = anchors.anchored()
    anchors.forget()
    with monkeypatch.context() as broken:
        broken.setattr("botocore.response.StreamingBody.read", lambda self, amt=None: 1 / 0)
        with pytest.raises(NotSigned, match="bucket-1 cannot be read"):
            anchors.anchored()
        assert as_a_visitor_sees_it().holds is False
    anchors.forget()
    assert anchors.anchored() == [found]


def test_an_anchor_that_is_too_large_is_passed_over(two_folders, acme):
    sign(acme)
    anchors.publish()
    before = anchors.anchored()
    (two_folders[0] / f"000009-{1:012d}.checkpoint").write_bytes(b"x" * (anchors.LARGEST_HEAD_BYTES + 1))
    anchors.forget()
    assert anchors.anchored() == before


def test_a_place_that_does_not_answer_is_not_asked_by_everybody(monkeypatch, acme, asked):
    with configured(monkeypatch, ORKESTRA_AUDIT_ANCHORS="s3://nowhere/x?endpoint=http://127.0.0.1:9"):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setattr(Bucket, "page", lambda self, after: asked.append(after) or 1 / 0)
        for _ in range(3):
            with pytest.raises(NotSigned, match="cannot be read"):
                sign(acme)
    assert len(asked) == 1
