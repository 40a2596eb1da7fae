"""`python -m orkestra.runtime metrics`: what web and worker count, added up for Prometheus, on a port of its own.

A process that loads neither Django nor the database, so that the numbers are there while either is away. Without a
token it listens on this machine only; with one, wherever the web does, and asks for it.
"""

from __future__ import annotations

import hmac
import http.server
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from orkestra.settings.config import Config

LOOPBACK = "127.0.0.1"
TIMEOUT_SECONDS = 10
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def emptied(folder: Path) -> Path:
    """The folder without the files of an earlier run, whose processes are gone."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    return folder


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /metrics, and nothing else."""

    server: Exporter
    timeout = TIMEOUT_SECONDS
    server_version, sys_version = "Orkestra", ""

    def do_GET(self) -> None:
        if self.path.split("?", 1)[0] != "/metrics":
            self._answer(404, b"The metrics are at /metrics.\n")
        elif not self.server.admits(self.headers.get("Authorization", "")):
            self._answer(401, b"Send the token as a bearer token.\n", {"WWW-Authenticate": "Bearer"})
        else:
            self._answer(200, self.server.collected(), {"Content-Type": CONTENT_TYPE_LATEST})

    def _answer(self, status: int, body: bytes, more: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        headers = {"Content-Type": "text/plain; charset=utf-8", **HEADERS, **(more or {})}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """No line for each scrape."""


class Exporter(http.server.ThreadingHTTPServer):
    """Serves one folder of numbers, to whoever has the token where there is one."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], folder: Path, token: str) -> None:
        super().__init__(address, Handler)
        self.folder, self.token = folder, token

    def admits(self, authorization: str) -> bool:
        return not self.token or hmac.compare_digest(authorization.encode(), f"Bearer {self.token}".encode())

    def collected(self) -> bytes:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self.folder))
        return generate_latest(registry)


def serve(environment: Mapping[str, str]) -> int:
    """Serve until stopped."""
    config = Config(environment)
    token = config.text("ORKESTRA_METRICS_TOKEN")
    host = config.text("ORKESTRA_LISTEN") if token else LOOPBACK
    folder = Path(environment["PROMETHEUS_MULTIPROC_DIR"])
    os.umask(0o077)
    Exporter((host, config.metrics_port), folder, token).serve_forever()
    return 0
