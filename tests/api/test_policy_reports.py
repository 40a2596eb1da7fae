"""Reports about the Content Security Policy: taken from pages of ours only, a little at a time, and without what people type."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from csp.constants import HEADER, HEADER_REPORT_ONLY
from django.core.management import CommandError, call_command
from django.db import connections

from apps.tenants.context import NOBODY, tenant_context
from apps.tenants.measures import POLICY_REPORTS, SECURITY_EVENTS
from apps.trust.models import CandidatePolicy, PolicyReport
from apps.trust.policy import actions, limits
from apps.trust.policy.address import policy_hash, report_address
from apps.trust.policy.limits import Buckets
from apps.trust.policy.rules import LARGEST_BATCH, LARGEST_BYTES, bodies, shortened

OLD, NEW = "application/csp-report", "application/reports+json"


@pytest.fixture(autouse=True)
def fresh_buckets(monkeypatch):
    monkeypatch.setattr(limits.buckets, "_minute", -1)
    monkeypatch.setattr(limits.buckets, "each", 1000)


@pytest.fixture
def address(client_of):
    """Where the landing page asks for reports."""
    return re.search(r"report-uri (\S+)", client_of.get("/")[HEADER])[1]


def old(blocked, *, page="http://testserver/security?secret=word", directive="img-src", **more):
    body = {"document-uri": page, "effective-directive": directive, "blocked-uri": blocked, "disposition": "enforce"}
    return json.dumps({"csp-report": body | more})


def new(*blocked, page="http://testserver/t/acme/forms/", directive="img-src"):
    one = {"documentURL": page, "effectiveDirective": directive, "disposition": "enforce"}
    return json.dumps([{"type": "csp-violation", "url": page, "body": one | {"blockedURL": each}} for each in blocked])


def send(client, address, content, media_type=OLD):
    answer = client.post(address, content, content_type=media_type)
    assert answer.status_code == 204
    assert answer.content == b""


def kept(blocked):
    with tenant_context(NOBODY):
        return list(PolicyReport.objects.filter(blocked=blocked))


def somewhere():
    return f"https://{uuid4().hex}.example"


@pytest.mark.parametrize(("media_type", "make"), [(OLD, old), (NEW, new)])
def test_a_report_in_either_format_is_kept_once_and_counted(client_of, address, media_type, make):
    origin = somewhere()
    for _ in range(3):
        send(client_of, address, make(f"{origin}/a/path?with=words"), media_type)
    (row,) = kept(origin)
    assert (row.count, row.directive, row.disposition) == (3, "img-src", "enforce")
    assert row.page == {OLD: "/security", NEW: "/t/<slug:tenant>/forms/"}[media_type]
    assert row.first_at < row.last_at


def test_a_new_way_of_breaking_the_policy_in_force_is_a_security_event_once(client_of, address):
    counter = SECURITY_EVENTS.labels("policy_violated")
    before = counter._value.get()
    for _ in range(3):
        send(client_of, address, old(somewhere(), directive="frame-src"))
    assert counter._value.get() == before + 1


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        '"text"',
        "{",
        "[" * 4000,
        '{"csp-report": []}',
        '{"csp-report": {"document-uri": 3}}',
        '{"csp-report": {"document-uri": "http://[", "effective-directive": "img-src"}}',
        "\x00\xff",
    ],
)
def test_nonsense_is_answered_like_anything_else(client_of, address, content):
    for media_type in (OLD, NEW, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        send(client_of, address, content, media_type)


def test_what_comes_from_an_extension_is_dropped(client_of, address):
    name = f"chrome-extension://{uuid4().hex}"
    send(client_of, address, old(name))
    origin = somewhere()
    send(client_of, address, old(origin, **{"source-file": "moz-extension://abc/inject.js"}))
    assert kept(name) == kept("chrome-extension") == kept(origin) == []


@pytest.mark.parametrize(
    "page", ["https://evil.example/security", "about:blank", "", "http://testserver.evil.example/"]
)
def test_a_report_about_a_page_that_is_not_ours_is_dropped(client_of, address, page):
    origin = somewhere()
    send(client_of, address, old(origin, page=page))
    assert kept(origin) == []


def test_a_directive_that_is_none_is_dropped(client_of, address):
    origin = somewhere()
    send(client_of, address, old(origin, directive="<script>"))
    assert kept(origin) == []


def test_an_address_that_was_not_given_out_takes_nothing(client_of, address):
    origin = somewhere()
    head, _slash, mac = address.rpartition("/")
    unsigned = POLICY_REPORTS.labels("unsigned")
    before = unsigned._value.get()
    send(client_of, f"{head}/{mac[:-1]}{'0' if mac[-1] != '0' else '1'}", old(origin))
    send(client_of, address.replace("/enforce/", "/report/"), old(origin))
    send(client_of, re.sub(r"/csp/.", "/csp/0" if address[5] != "0" else "/csp/1", address), old(origin))
    assert kept(origin) == []
    assert unsigned._value.get() == before + 3


@pytest.mark.parametrize(("days", "is_taken"), [(0, True), (1, True), (2, False), (-1, False)])
def test_an_address_is_good_for_its_day_and_the_next(client_of, time_machine, days, is_taken):
    from datetime import UTC, datetime

    noon = datetime(2027, 3, 3, 12, tzinfo=UTC)
    time_machine.move_to(noon)
    given, origin = report_address("0" * 16, "enforce"), somewhere()
    time_machine.move_to(noon + timedelta(days=days))
    send(client_of, given, old(origin))
    assert bool(kept(origin)) is is_taken


def test_more_than_sixteen_kilobytes_are_not_read(client_of, address):
    origin = somewhere()
    send(client_of, address, old(origin, **{"script-sample": "x" * LARGEST_BYTES}))
    assert kept(origin) == []


def test_of_a_batch_twenty_are_taken(client_of, address):
    origins = [somewhere() for _ in range(25)]
    content = new(*origins)
    assert len(content) < LARGEST_BYTES
    send(client_of, address, content, NEW)
    assert [len(kept(origin)) for origin in origins] == [1] * LARGEST_BATCH + [0] * 5


def test_a_sender_is_limited_and_so_are_all_together():
    small = Buckets(each=2, everybody=3)
    assert [small.admits("a", 1), small.admits("a", 2), small.admits("a", 3)] == [True, True, False]
    assert [small.admits("b", 4), small.admits("b", 5)] == [True, False]
    assert small.admits("a", 61)


def test_beyond_the_limit_nothing_is_kept(client_of, address, monkeypatch):
    monkeypatch.setattr(limits.buckets, "each", 0)
    origin = somewhere()
    send(client_of, address, old(origin))
    assert kept(origin) == []


def test_the_table_cannot_be_filled(client_of, address, monkeypatch):
    monkeypatch.setattr(actions, "MOST_KEPT", 0)
    origin = somewhere()
    send(client_of, address, old(origin))
    assert kept(origin) == []


@pytest.mark.parametrize(
    ("blocked", "shown"),
    [
        ("inline", "inline"),
        ("eval", "eval"),
        ("data", "data"),
        ("https://Cdn.Example:8443/x?y=z", "https://cdn.example:8443"),
        ("https://user:secret@host/", "https"),
        ("a person's words", "other"),
        ("blob:https://x", "blob"),
        ("", "other"),
    ],
)
def test_of_what_was_blocked_a_word_or_an_origin_stays(blocked, shown):
    assert shortened(blocked) == shown


def test_a_batch_may_hold_other_reports(client_of):
    assert bodies(NEW, b'[{"type": "deprecation", "body": {}}, {"type": "csp-violation", "body": {"a": 1}}, 3]') == [
        {"a": 1}
    ]


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_the_door_takes_posts_only(client_of, address, method):
    assert getattr(client_of, method)(address).status_code == 405


def test_the_hash_of_a_policy_knows_no_order_and_no_address():
    assert policy_hash("a b; c d; report-uri /x") == policy_hash("c d; report-uri /y; a b") != policy_hash("a b")


@pytest.fixture
def no_candidate(wall):
    yield
    call_command("csp_candidate", "end", stdout=StringIO())


def test_a_candidate_is_sent_beside_the_policy_in_force(client_of, browse, acme, no_candidate):
    client = browse(acme.owner)
    before = client.get(acme.url("forms/"))
    assert HEADER_REPORT_ONLY not in before
    call_command("csp_candidate", "start", "img-src 'none'; style-src 'nonce'", stdout=StringIO())
    page = client.get(acme.url("forms/"))
    tried = page[HEADER_REPORT_ONLY]
    assert "img-src 'none'" in tried
    assert "default-src 'none'" in tried
    assert "/report/" in tried
    nonce = re.search(r"'nonce-[^']+'", page[HEADER])
    if nonce:
        assert f"style-src {nonce[0]}" in tried
    assert "img-src 'self' data:" in page[HEADER]
    call_command("csp_candidate", "end", stdout=StringIO())
    assert HEADER_REPORT_ONLY not in client.get(acme.url("forms/"))


def test_another_candidate_takes_the_place_of_the_first(wall, no_candidate):
    for text in ("img-src 'none'", "font-src 'none'"):
        call_command("csp_candidate", "start", text, stdout=StringIO())
    with tenant_context(NOBODY):
        (row,) = CandidatePolicy.objects.filter(ended_at=None)
    assert str(row) == "font-src 'none'"


@pytest.mark.parametrize("text", ["", "report-uri https://evil.example", "no-such-src 'self'", "; ;"])
def test_a_candidate_that_is_none_is_refused(wall, text):
    with pytest.raises(CommandError):
        call_command("csp_candidate", "start", text, stdout=StringIO())


def test_pages_come_without_a_candidate_while_the_database_is_away(client_of, monkeypatch, no_candidate):
    call_command("csp_candidate", "start", "img-src 'none'", stdout=StringIO())
    connections["default"].close()
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", "there_is_no_such_database")
    answer = client_of.get("/healthz/live")
    assert answer.status_code == 200
    assert HEADER in answer
    monkeypatch.undo()
