"""Fixtures of every test: a real database as the app's own role, the cast, and clients for both doors."""

from __future__ import annotations

import gc
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import cache, caches
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.test import Client
from whitenoise.middleware import WhiteNoiseMiddleware

from apps.accounts.models import Kept
from apps.flags.evaluation import listener
from apps.operations.alarms import keeper

from . import acts, cast, database, identity_provider
from .clients import Api, browser
from .together import Together

logging.getLogger("orkestra.access").setLevel("WARNING")  # a line for each request would bury what a failure says
# In CI every generated case is the same at each run; elsewhere each run may find another fault.
# None fails for taking long: that tells of the machine alone.
hypothesis.settings.register_profile(
    "orkestra",
    derandomize=bool(os.environ.get("CI")),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("orkestra")


def pytest_configure(config: pytest.Config) -> None:
    """Processes that this one starts note their acts where it looks."""
    acts.begin()
    look_for_static_files_once()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Tests that share something expensive go to one process."""
    return Together(config, log)


def look_for_static_files_once() -> None:
    """Every client makes its own middleware, and each would read the whole of `static` anew."""
    look, found = WhiteNoiseMiddleware.add_files_from_finders, {}

    def look_once(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = look_once


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A whole run that is green holds only when every act of the catalogue was written in it."""
    if exitstatus == pytest.ExitCode.OK and not hasattr(session.config, "workerinput") and acts.amiss():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Say what it was."""
    for text in acts.amiss():
        terminalreporter.write_line(text, red=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What walks every tenant comes first: tests make thousands of tenants, and keep them."""
    items.sort(key=lambda item: item.get_closest_marker("every_tenant") is None)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is loaded by now stays until the end: the collector of garbage need not go through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 5)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One database, and one number of the cache, for each test process."""
    if "ORKESTRA_TEST_ADMIN_URL" not in os.environ:
        pytest.exit("Tests need servers: run them by scripts/test.", returncode=3)
    name = f"orkestra_test_{worker_id}"
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id.startswith("gw") else 0
    caches["default"]  # may be made already, on the number that all would share
    del caches["default"]
    settings.CACHES["default"]["LOCATION"] += f"?db={number}"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.IS_DEMO = True  # Super Admins get in without a second factor; test_second_factor tries it without
    settings.ATTACHMENTS_ROOT = tmp_path_factory.mktemp("files")
    with django_db_blocker.unblock():
        database.make(name)
        yield
        keeper.end()
        listener.end()
        for alias in connections:
            connections[alias].close()
        database.drop(name)


@pytest.fixture(autouse=True)
def _real_database(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests that name a fixture of the cast run on the database; pure ones never touch it."""
    if not {"acme", "globex", "wall", "client_of", "demo", "address"} & set(
        request.fixturenames
    ) and not request.node.get_closest_marker("database"):
        yield
        return
    request.getfixturevalue("django_db_setup")
    with request.getfixturevalue("django_db_blocker").unblock():
        cache.clear()
        Kept.objects.all().delete()  # all tests come from one address
        yield


@pytest.fixture
def wall(_real_database: None) -> None:
    """The database without any cast."""


@pytest.fixture
def acme(_real_database: None) -> cast.Company:
    """A company."""
    return cast.company("acme")


@pytest.fixture
def globex(_real_database: None) -> cast.Company:
    """Its rival, which must never see anything of it."""
    return cast.company("globex")


@pytest.fixture
def idp(settings: Any) -> Iterator[identity_provider.Provider]:
    """An identity provider of this process's own."""
    settings.EGRESS_LOOPBACK = True
    with identity_provider.serving() as provider:
        yield provider


@pytest.fixture
def demo(_real_database: None) -> cast.DemoCast:
    """The demo's two organisations; made once for a test process, so tests add to them and never count on being first."""
    return cast.demo()


@pytest.fixture
def api() -> Api:
    """Anonymous until `.as_(member)`."""
    return Api()


@pytest.fixture
def browse() -> Any:
    """`browse(member)`: a Django client that is signed in as this member."""
    return browser


@pytest.fixture
def client_of(_real_database: None) -> Client:
    """A browser in which nobody is signed in."""
    return Client()


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """No line for each request."""


class Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@pytest.fixture
def address(_real_database: None, settings: Any) -> Iterator[str]:
    """Where the application answers, on the loopback interface."""
    server = make_server("127.0.0.1", 0, WSGIHandler(), server_class=Threaded, handler_class=Quiet)
    url = f"http://localhost:{server.server_port}"
    settings.PUBLIC_URL = url
    settings.CSRF_TRUSTED_ORIGINS = [url]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the project."""
    return Path(__file__).resolve().parents[1]
