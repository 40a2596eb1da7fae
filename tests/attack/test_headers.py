"""Every answer of every kind carries the security headers: all routes, all errors, through a real Granian."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections
from django.test import Client

from apps.accounts.actions import make_super_admin
from apps.accounts.headers import HEADERS
from tests.cast import person
from tests.database import superuser, urls
from tests.forms import published, step
from tests.runtime.conftest import PROJECT, bare_environment, free_port

from .test_the_doors import ROUTES

pytestmark = pytest.mark.database
PATIENCE_SECONDS = 60
COOKIE = settings.SESSION_COOKIE_NAME


@pytest.fixture(scope="module")
def port(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real server on this process's database."""
    number, folder = free_port(), tmp_path_factory.mktemp("web")
    name = str(connections["default"].settings_dict["NAME"])
    given = {key: value for key, value in os.environ.items() if key.startswith(("REDIS_", "ORKESTRA_S", "DATABASE_"))}
    (folder / "demo-seeded").touch()
    (folder / "files").symlink_to(settings.ATTACHMENTS_ROOT)
    own = {"ORKESTRA_HOME": str(folder), "ORKESTRA_PUBLIC_URL": settings.PUBLIC_URL, "ORKESTRA_METRICS_PORT": "0"}
    own |= {"REDIS_URL": str(settings.CACHES["default"]["LOCATION"]), "DJANGO_SETTINGS_MODULE": "orkestra.settings"}
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(number), "--workers", "1"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "orkestra.wsgi:application"],
            cwd=PROJECT,
            env=bare_environment() | given | urls(name) | own,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(number, process, folder)
        yield number
    finally:
        process.terminate()
        process.wait(20)


def wait_for(port: int, process: subprocess.Popen[bytes], folder: Any) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("It never answered.")


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
    """One request; header names are given with underscores."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def check(answer: http.client.HTTPResponse, about: str = "") -> None:
    missing = [name for name, value in HEADERS.items() if answer.headers.get_all(name) != [value]]
    assert missing == [], f"{about} {answer.status}"
    assert len(answer.headers.get_all("Content-Security-Policy") or []) == 1, f"{about} {answer.status}"
    assert answer.headers["X-Request-ID"], about


def raw(port: int, request: bytes) -> tuple[int, http.client.HTTPMessage] | None:
    """Bytes as they are; None where the server hangs up without an answer."""
    with socket.create_connection(("127.0.0.1", port), 10) as link:
        link.sendall(request)
        link.settimeout(10)
        answer = http.client.HTTPResponse(link)
        try:
            answer.begin()
        except (http.client.HTTPException, OSError):
            return None
        return answer.status, answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_every_route_answers_everybody_with_the_headers(port: int, method: str) -> None:
    for path in ROUTES:
        check(ask(port, method, path), f"{method} {path}")


@pytest.fixture
def session(acme: Any) -> dict[str, str]:
    """The cookie of a Super Admin who is a member of acme as well."""
    make_super_admin(acme.owner.user)
    client = Client()
    client.force_login(acme.owner.user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return {"Cookie": f"{COOKIE}={client.cookies[COOKIE].value}"}


def test_pages_of_people_and_of_super_admins_carry_them(port: int, acme: Any, session: dict[str, str]) -> None:
    statuses = set()
    for path in ROUTES:
        answer = ask(port, "GET", path.replace("/t/acme/", f"/t/{acme.slug}/"), **session)
        statuses.add(answer.status)
        check(answer, path)
    assert {200, 302, 404} <= statuses


def test_static_files_carry_them_found_unchanged_or_missing(port: int) -> None:
    found = ask(port, "GET", "/static/css/base.css")
    assert found.status == 200
    check(found)
    unchanged = ask(port, "GET", "/static/css/base.css", If_Modified_Since=found.headers["Last-Modified"])
    assert unchanged.status == 304
    check(unchanged)
    for path in ("/static/css/none.css", "/static/../manage.py", "/favicon.ico", "/static/"):
        missing = ask(port, "GET", path)
        assert missing.status == 404, path
        check(missing, path)


def test_api_answers_and_downloads_carry_them(port: int, api: Any, acme: Any) -> None:
    token = api.as_(acme.owner)._credentials["HTTP_AUTHORIZATION"]
    form = published(api, acme.owner, step("manager", acme.reviewer))
    json = {"Authorization": token, "Content_Type": "application/json"}
    for method, path, body, status in (
        ("GET", "/api/v1/forms", None, 200),
        ("POST", "/api/v1/forms", "{", 400),
        ("POST", "/api/v1/forms", '{"title": ""}', 400),
        ("POST", "/api/v1/teams", '{"name": "Plant", "slug": "plant"}', 201),
        ("PUT", "/api/v1/forms", "{}", 405),
        ("GET", "/api/v1/forms/none", None, 404),
        ("GET", "/api/v1/platform/audit/verify", None, 401),
    ):
        answer = ask(port, method, path, body, **json)
        assert answer.status in {status, 404 if "platform" in path else status}, path
        check(answer, path)
    draft = api.as_(acme.owner).post(f"/api/v1/forms/{form}/submissions", {"data": {"item": "Lathe"}, "draft": True})
    file = {"field": "quotes", "file": SimpleUploadedFile("quote.pdf", b"%PDF-1.4 hello")}
    made = api.as_(acme.owner).post(f"/api/v1/submissions/{draft.json()['id']}/attachments", file, format="multipart")
    download = ask(port, "GET", f"/api/v1/attachments/{made.json()['id']}/download", Authorization=token)
    assert download.status == 200
    assert "sandbox" in download.headers["Content-Security-Policy"]
    check(download)


def test_what_is_too_large_or_unreadable_carries_them(port: int) -> None:
    sent = (
        b"POST /api/v1/auth/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n",
        b"GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /a?b=%ff HTTP/1.1\r\nHost: localhost\r\nCookie: a=\xff\xfe\r\n\r\n",
        b"POST /account/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /account/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain; charset=none\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET /security HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-\r\n\r\n",
    )
    statuses = []
    for request in sent:
        status, headers = raw(port, request) or (0, None)
        assert headers is not None, request
        statuses.append(status)
        for name, value in HEADERS.items():
            assert headers[name] == value, (request, status)
    assert {413, 400, 404} <= set(statuses)


def test_what_is_no_http_at_all_is_answered_with_nothing_to_show(port: int) -> None:
    """Below our code: the server's own answer has no body and no type, so there is nothing that a browser could run."""
    for request in (
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
    ):
        found = raw(port, request)
        if found is not None:
            status, headers = found
            assert 400 <= status < 600, request
            assert headers["Content-Type"] is None
            assert (headers["Content-Length"] or "0") == "0"


def test_an_error_of_ours_carries_them(port: int, api: Any, acme: Any) -> None:
    """A table is taken away for a moment, by somebody with the whole database."""
    token = api.as_(acme.owner)._credentials["HTTP_AUTHORIZATION"]
    with superuser() as attacker:
        attacker.execute("ALTER TABLE accounts_team RENAME TO accounts_team_gone")
        try:
            answer = ask(port, "GET", "/api/v1/teams", Authorization=token)
        finally:
            attacker.execute("ALTER TABLE accounts_team_gone RENAME TO accounts_team")
    assert answer.status == 500
    check(answer)


def test_a_report_is_answered_with_them(port: int) -> None:
    page = ask(port, "GET", "/")
    address = re.search(r"report-uri (\S+)", page.headers["Content-Security-Policy"])
    assert address is not None
    answer = ask(port, "POST", address[1], "{}", Content_Type="application/csp-report")
    assert answer.status == 204
    check(answer)


def test_a_person_who_is_no_super_admin_gets_the_admins_404_with_them(port: int, acme: Any) -> None:
    client = Client()
    client.force_login(person("nobody", acme.slug), backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = ask(port, "GET", "/admin/", Cookie=f"{COOKIE}={client.cookies[COOKIE].value}")
    assert answer.status == 404
    check(answer)
