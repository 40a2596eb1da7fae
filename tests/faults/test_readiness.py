"""`/healthz/ready` while real servers stop and come back: what can be missed degrades, what cannot is 503."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from orkestra.runtime import valkey
from orkestra.runtime.home import Home
from orkestra.runtime.postgres import DATABASE, Postgres, binaries
from tests.database import MIGRATED, admin_url
from tests.runtime.conftest import Installation, place, until  # noqa: F401  place is a fixture
from tests.runtime.test_servers import account
from tests.smtp import MailServer


class Servers:
    """PostgreSQL, Valkey and a mail server that a test stops and starts, and an installation on them."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root / "servers", account())
        self.home.prepare()
        self.postgres = Postgres(self.home, binaries(self.home), fast=True)
        self.postgres.initialise()
        self.database, self.cache, self.mail = self.postgres.child(), valkey.child(self.home), MailServer()
        self.start_database()
        self.postgres.bootstrap()
        self.copy_what_is_migrated()
        self.start_cache()
        urls = self.postgres.urls() | {"REDIS_URL": valkey.url(self.home), "EMAIL_URL": self.mail.url}
        self.web = Installation(root / "web", ORKESTRA_DEMO="0", ORKESTRA_METRICS_PORT="0", **urls)

    def copy_what_is_migrated(self) -> None:
        """Into our database, since to migrate another takes long."""
        programs, url = binaries(self.home), self.postgres.admin_url(DATABASE)
        dump = subprocess.run(
            [programs / "pg_dump", "--format=custom", "--dbname", admin_url(MIGRATED)], stdout=PIPE, check=True
        )
        restore = [programs / "pg_restore", "--single-transaction", "--clean", "--if-exists", "--dbname", url]
        subprocess.run(restore, input=dump.stdout, check=True)

    def start_database(self) -> None:
        self.database.start()
        self.postgres.wait(self.database)

    def start_cache(self) -> None:
        self.cache.start()
        valkey.wait(self.home, self.cache)

    def stop(self) -> None:
        self.web.ensure_stopped()
        self.cache.stop()
        self.database.stop()

    def ask(self, path: str = "/healthz/ready") -> tuple[int, dict[str, Any], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.web.port, timeout=20)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers


@pytest.fixture
def servers(place: Path, django_db_setup: None) -> Iterator[Servers]:  # noqa: F811
    made = Servers(place)
    yield made
    made.stop()


def test_what_stops_is_named_and_only_what_is_needed_makes_it_unready(servers: Servers) -> None:
    servers.web.start()
    status, body, _headers = servers.ask()
    assert (status, body["status"]) == (200, "ok")
    assert set(body["parts"].values()) == {"ok", "off"}  # no model is configured

    servers.cache.stop()
    status, body, _headers = servers.ask()
    assert (status, body["status"], body["parts"]["cache"]) == (200, "degraded", "down")
    servers.start_cache()
    until(lambda: servers.ask()[1]["parts"]["cache"] == "ok", "the cache is back")

    servers.mail.shutdown()
    servers.mail.server_close()
    # Each web worker asks the mail server anew after some seconds only.
    status, body, _headers = until(
        lambda: (found := servers.ask())[1]["parts"]["mail"] == "down" and found, "the mail server is missed"
    )
    assert (status, body["status"]) == (200, "degraded")

    servers.database.stop()
    status, body, headers = servers.ask()
    assert (status, body["status"], body["parts"]["database"]) == (503, "down", "down")
    assert headers["Retry-After"]
    assert servers.ask("/healthz/live")[0] == 200

    servers.start_database()
    until(lambda: servers.ask()[0] == 200, "it is ready again")
