"""A bounded load of keep-alive clients on loopback, and what their answers' times say."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from dataclasses import asdict, dataclass, field

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Call:
    """One request, sent again and again."""

    port: int
    path: str
    body: dict[str, object] | None
    headers: dict[str, str] = field(default_factory=dict)
    expect: int = 201
    method: str = "POST"


@dataclass(frozen=True)
class Figures:
    """Times in milliseconds; `per_second` counts answers of all clients together."""

    requests: int
    per_second: float
    p50: float
    p95: float
    p99: float
    spread: float

    def line(self, name: str) -> str:
        return (
            f"{name:<24} {self.per_second:9.0f}/s   p50 {self.p50:7.2f} ms   p95 {self.p95:7.2f} ms"
            f"   p99 {self.p99:7.2f} ms   spread {self.spread:6.2f} ms"
        )

    def as_json(self) -> dict[str, float]:
        return {key: round(value, 3) for key, value in asdict(self).items()}


def run(call: Call, *, clients: int, requests: int) -> Figures:
    """Send so many requests over so many connections. Raises RuntimeError at the first answer that is not expected."""
    times: list[float] = []
    failures: list[str] = []
    share = [requests // clients] * clients
    started = time.perf_counter()
    threads = [threading.Thread(target=_client, args=(call, count, times, failures)) for count in share]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    if failures:
        raise RuntimeError(failures[0])
    return figures(times, elapsed)


def figures(times: list[float], elapsed: float) -> Figures:
    """Times in seconds, and the wall time they took together."""
    cuts = statistics.quantiles(times, n=100)
    p50, p95, p99 = (cuts[49] * 1000, cuts[94] * 1000, cuts[98] * 1000)
    spread = statistics.pstdev(times) * 1000
    return Figures(len(times), len(times) / elapsed, p50, p95, p99, spread)


def _client(call: Call, count: int, times: list[float], failures: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", call.port, timeout=TIMEOUT_SECONDS)
    body = None if call.body is None else json.dumps(call.body)
    headers = {"Content-Type": "application/json", **call.headers}
    for _ in range(count):
        if failures:
            break
        started = time.perf_counter()
        connection.request(call.method, call.path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        times.append(time.perf_counter() - started)
        if answer.status != call.expect:
            failures.append(f"{call.path} answered {answer.status}: {text[:300]!r}")
    connection.close()
