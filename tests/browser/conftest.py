"""A real web server on the test's database, and a real Chromium that visits it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.core.handlers.wsgi import WSGIHandler

# Playwright drives Chromium from an event loop in this thread; the tests themselves are plain and blocking.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


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
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, else one that Playwright installed; in CI there must be one."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else []
            )
        except Error as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"NO BROWSER, so the browser tests did not run: {error}")
        yield browser
        browser.close()
