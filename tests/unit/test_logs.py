"""A log line holds ids, routes and codes, and nothing that a person typed."""

from __future__ import annotations

import io
import json
import logging.config

import pytest
import structlog
from django.db import DataError, connection, transaction
from django.test import Client

from orkestra.settings.logs import logging_config

CANARY = "canary-7f3a91"


@pytest.fixture
def lines(monkeypatch):
    """`lines()`: every line written since, as JSON, from Django's, our own and foreign loggers."""
    stream = io.StringIO()
    config = logging_config(debug=False)
    config["handlers"]["stderr"] |= {"stream": stream}
    logging.config.dictConfig(config)
    monkeypatch.setattr(logging.getLogger("orkestra.access"), "level", logging.INFO)
    structlog.reset_defaults()
    logging_config(debug=False)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    config["handlers"]["stderr"].pop("stream")
    logging.config.dictConfig(config)


def test_a_request_leaves_one_line_with_route_status_and_time(client_of, lines):
    client_of.get("/healthz/live", headers={"X-Request-ID": "line-12345678"})
    (line,) = [line for line in lines() if line["event"] == "request"]
    assert (line["route"], line["method"], line["status"]) == ("live", "GET", 200)
    assert line["request_id"] == "line-12345678"
    assert line["ms"] >= 0


def test_a_members_request_is_logged_by_ids(api, acme, lines):
    api.as_(acme.viewer).get("/api/v1/forms")
    (line,) = [line for line in lines() if line["event"] == "request"]
    assert (line["tenant"], line["user"]) == (str(acme.id), str(acme.viewer.user_id))
    assert acme.slug not in json.dumps(line)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/api/v1/auth/token", {"email": f"{CANARY}@x.example", "password": CANARY, "tenant": CANARY}),
        ("post", "/api/v1/auth/refresh", {"refresh": CANARY}),
        ("get", f"/account/invitation/{CANARY}-and-twenty-signs/", None),
        ("get", f"/t/{CANARY}/forms/{CANARY}/", None),
        ("get", f"/security?{CANARY}=1", None),
        ("post", "/account/login/", {"login": f"{CANARY}@x.example", "password": CANARY}),
    ],
)
def test_nothing_of_a_request_gets_into_a_line(api, client_of, lines, method, path, body):
    client = api if path.startswith("/api/") else client_of
    client.raise_request_exception = False
    getattr(client, method)(path, body, headers={"Authorization": f"Bearer {CANARY}", "User-Agent": CANARY})
    assert lines()
    assert CANARY not in json.dumps(lines())


@pytest.mark.parametrize(
    ("kind", "headers"),
    [("csrf", {"Origin": f"https://{CANARY}.example"}), ("DisallowedHost", {"Host": f"{CANARY}.example"})],
)
def test_a_request_that_django_refuses_is_told_by_its_kind_alone(acme, lines, kind, headers):
    client = Client(enforce_csrf_checks=True)
    answer = client.post(f"/account/invitation/{CANARY}-and-twenty-signs/", {}, headers=headers)
    assert answer.status_code in {400, 403}
    assert [line["kind"] for line in lines() if line["event"] == "request_refused"] == [kind]
    assert CANARY not in json.dumps(lines())


def test_an_answer_that_breaks_the_database_is_not_quoted(acme, lines):
    """PostgreSQL's message names the value; the line has the frames and the code."""
    log = structlog.get_logger("apps.test")
    with pytest.raises(DataError, match=CANARY), transaction.atomic():
        try:
            connection.cursor().execute("SELECT %s::int", [CANARY])
        except DataError:
            log.exception("it_failed")
            logging.getLogger("procrastinate.worker").exception("a library's own line")
            raise
    ours, foreign = lines()
    for line in (ours, foreign):
        assert "InvalidTextRepresentation" in line["exception"]
        assert "22P02" in line["exception"]
        assert "test_logs.py" in line["exception"]
    assert CANARY not in json.dumps(lines())
