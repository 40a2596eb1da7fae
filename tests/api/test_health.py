"""The two questions of a load balancer, asked while parts are away."""

from __future__ import annotations

import socket

import pytest
from django.db import connections

from apps.operations import health

UNREACHABLE = {"LOCATION": "unix:///nonexistent/valkey.sock"}


def parts(client):
    answer = client.get("/healthz/ready")
    return answer.status_code, answer.json()["parts"]


def test_with_everything_there_it_is_ready(client_of):
    status, found = parts(client_of)
    assert (status, set(found.values()) - {"off"}) == (200, {"ok"})


def test_without_the_cache_it_serves_and_says_so(client_of, settings):
    settings.CACHES = {"default": settings.CACHES["default"] | UNREACHABLE}
    status, found = parts(client_of)
    assert (status, found["cache"]) == (200, "down")


def test_a_model_that_cannot_be_reached_degrades_and_no_more(client_of, settings, monkeypatch):
    settings.AI_MODEL, settings.AI_PRICE = "small", "0"
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        settings.AI_URL = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        monkeypatch.setattr(health, "_asked", {})
        assert parts(client_of)[1]["ai"] == "ok"
    monkeypatch.setattr(health, "_asked", {})
    answer = client_of.get("/healthz/ready")
    assert (answer.status_code, answer.json()["status"], answer.json()["parts"]["ai"]) == (200, "degraded", "down")


def test_without_the_database_it_is_not_ready(client_of, monkeypatch):
    connections["default"].close()
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", "there_is_no_such_database")
    answer = client_of.get("/healthz/ready")
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert answer.json()["parts"]["database"] == "down"
    assert client_of.get("/healthz/live").status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/forms", "/t/{slug}/forms/"])
def test_without_the_database_a_request_gets_an_honest_answer(api, browse, acme, monkeypatch, path):
    client = api.as_(acme.owner) if "/api/" in path else browse(acme.owner)
    client.raise_request_exception = False
    connections["default"].close()
    monkeypatch.setitem(connections["default"].settings_dict, "NAME", "there_is_no_such_database")
    answer = client.get(path.format(slug=acme.slug))
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert b"Traceback" not in answer.content


def test_a_place_for_files_that_cannot_be_written_is_not_ready(client_of, settings, tmp_path):
    (tmp_path / "file").touch()
    settings.ATTACHMENTS_ROOT = tmp_path / "file" / "files"
    status, found = parts(client_of)
    assert (status, found["files"]) == (503, "down")


@pytest.mark.parametrize("path", ["/", "/security", "/nothing", "/api/v1/forms", "/healthz/live"])
def test_every_answer_carries_its_request_id(client_of, path):
    first, second = client_of.get(path), client_of.get(path)
    assert first["X-Request-ID"]
    assert first["X-Request-ID"] != second["X-Request-ID"]
