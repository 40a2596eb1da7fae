"""The numbers of the whole installation on one port, its log lines under one request id, and alerts that fire."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from apps.tenants import measures
from orkestra.runtime.metrics import Exporter, emptied
from orkestra.runtime.supervisor import WEB_WORKERS

from .conftest import PASSWORD, PROJECT, Installation, until

DEPLOY = PROJECT / "deploy"
NAME = re.compile(r"\borkestra_[a-z_]+")


def scraped(port: int, token: str = "") -> dict[str, float]:
    """`name{labels}` -> value, as Prometheus would read it."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def total(found: dict[str, float], start: str) -> float:
    return sum(value for name, value in found.items() if name.startswith(start))


@pytest.fixture
def metrics_port(running: Installation) -> int:
    return running.port + 1


def test_requests_of_all_web_workers_are_added_up(running: Installation, metrics_port: int) -> None:
    # Not /healthz/live: the claims probe that address inside a web process, whenever their minute comes.
    start = 'orkestra_http_requests_total{method="GET",route="account_login",status="2xx"'
    before = total(scraped(metrics_port), start)
    for _ in range(20):
        with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/account/login/", timeout=10):
            pass
    assert total(scraped(metrics_port), start) == before + 20
    folder = running.home / "metrics"
    assert len({path.stem.split("_")[-1] for path in folder.glob("counter_*.db")}) >= WEB_WORKERS
    assert folder.stat().st_mode & 0o077 == 0


def test_the_worker_says_what_it_found_by_looking(running: Installation, metrics_port: int) -> None:
    found = until(lambda: _observed(metrics_port), "the worker has looked")
    assert found['orkestra_dependency_up{dependency="cache"}'] == 1
    assert 'orkestra_jobs_by_status{status="failed"}' in found
    assert 'orkestra_outbox_messages{state="queued"}' in found
    assert 'orkestra_security_events_unseen{kind="chain_broken"}' in found
    assert found['orkestra_audit_anchor_lag_seconds{place="folder-1"}'] < 600
    age = "orkestra_audit_oldest_unsealed_seconds{}"  # the demo's own entries are of past weeks, until they are sealed
    until(lambda: scraped(metrics_port)[age] < 60, "everything is sealed")


def _observed(port: int) -> dict[str, float] | None:
    found = scraped(port)
    return found if found.get("orkestra_observed_timestamp_seconds{}") else None


def test_no_number_names_a_tenant_a_person_or_an_address(running: Installation, metrics_port: int) -> None:
    assert running.signs_in()
    for path in ("/t/acme/forms/", "/t/nobody-knows-this/", "/unknown-word/"):
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().status in {302, 404}
    text = json.dumps(scraped(metrics_port))
    for word in ("acme", "globex", "nobody-knows-this", "unknown-word", "owner@", "tenant="):
        assert word not in text, word


def test_one_request_id_stands_in_the_webs_line_and_in_its_jobs_line(running: Installation) -> None:
    mark = "correlate-4711"
    token = _call(
        running, "/api/v1/auth/token", {"email": "owner@acme.example", "password": PASSWORD, "tenant": "acme"}
    )
    body = {"email": "somebody.new@acme.example", "role": "member"}
    _call(running, "/api/v1/invitations", body, token=token["access"], request_id=mark)
    job = until(lambda: _lines(running, "worker.log", mark, "job"), "the worker has sent the mail")[0]
    web = _lines(running, "web.log", mark, "request")[0]
    assert (job["task"], job["outcome"]) == ("comms.send_mail", "done")
    assert (web["method"], web["status"], web["tenant"]) == ("POST", 201, job["tenant"])
    for name in ("web.log", "worker.log"):
        # What `EMAIL_URL=console:` prints into the worker's log is the mail itself, not a line of the log.
        lines = [line for line in (running.home / "log" / name).read_text().splitlines() if line.startswith("{")]
        for word in ("somebody.new", token["access"], PASSWORD, "acme"):
            assert word not in "".join(lines), word


def _call(running: Installation, path: str, body: dict[str, str], *, token: str = "", request_id: str = "") -> dict:
    headers = {"Content-Type": "application/json"}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"X-Request-ID": request_id} if request_id else {}
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}{path}", data=json.dumps(body).encode(), headers=headers
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return dict(json.load(answer))


def _lines(running: Installation, name: str, mark: str, event: str) -> list[dict]:
    rows = [
        line for line in (running.home / "log" / name).read_text().splitlines() if line.startswith("{") and mark in line
    ]
    return [row for row in map(json.loads, rows) if row["event"] == event and row.get("request_id") == mark]


@pytest.fixture
def exporter(tmp_path: Path):
    """`exporter(token)`: the port of an exporter over an empty folder."""
    made = []

    def start(token: str = "") -> int:
        server = Exporter(("127.0.0.1", 0), emptied(tmp_path / "metrics"), token)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        made.append(server)
        return int(server.server_port)

    yield start
    for server in made:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("sent", "status"), [("", 401), ("Bearer wrong", 401), ("Bearer right", 200), ("right", 401)])
def test_with_a_token_nobody_reads_without_it(exporter, sent: str, status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", exporter("right"), timeout=10)
    connection.request("GET", "/metrics", headers={"Authorization": sent} if sent else {})
    answer = connection.getresponse()
    assert answer.status == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_only_the_metrics_are_there(exporter) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", exporter(), timeout=10)
    connection.request("GET", "/../etc/passwd")
    assert connection.getresponse().status == 404


def test_numbers_of_an_earlier_run_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "counter_1.db").write_bytes(b"old")
    assert list(emptied(folder).iterdir()) == []


def test_a_port_for_the_metrics_that_was_chosen_and_is_taken_is_refused_before_anything_starts(
    another: Installation,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        said = another.refused(ORKESTRA_METRICS_PORT=str(number))
    assert said == f"Port {number}, which ORKESTRA_METRICS_PORT names, is taken by another program."
    assert not list(another.home.glob("postgresql-*"))


def test_every_number_that_an_alert_or_the_dashboard_names_exists() -> None:
    known = set()
    for metric in [found for found in vars(measures).values() if isinstance(found, MetricWrapperBase)]:
        for family in metric.collect():
            known |= {sample.name for sample in family.samples} | {family.name}
            suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [])
            known |= {family.name + suffix for suffix in suffixes}
    for path in (DEPLOY / "prometheus" / "alerts.yml", DEPLOY / "grafana" / "orkestra.json"):
        named = set(NAME.findall(path.read_text()))
        assert named
        assert named - known == set(), path


@pytest.mark.parametrize("command", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]])
def test_the_alerts_fire_when_they_should(command: list[str]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("NO PROMTOOL, so the alerts were not tested: it is in Debian's package prometheus")
    done = subprocess.run([promtool, *command], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_test() -> None:
    alerts = set(re.findall(r"alert: (\w+)", (DEPLOY / "prometheus" / "alerts.yml").read_text()))
    tested = set(re.findall(r"alertname: (\w+)", (DEPLOY / "prometheus" / "alerts.test.yml").read_text()))
    assert alerts == tested
