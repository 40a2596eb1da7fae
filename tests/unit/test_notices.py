"""Where we stand between the queue's library and the notices of the database; this fails when the library moved away."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from procrastinate import App, PsycopgConnector
from structlog.testing import capture_logs

from apps.comms.notices import Connector

CANARY = "canary-51c0de"
UNREADABLE = [
    CANARY,
    "",
    "[]",
    "null",
    "7",
    f'{{"{CANARY}": 1}}',
    '{"type": "abort_job_requested"}',
    '{"type": "abort_job_requested", "job_id": []}',
    "[" * 7900,
]
READABLE = {"type": "job_inserted", "job_id": 1}


def test_a_notice_that_nobody_can_read_is_told_without_its_text_and_the_next_one_is_heard(monkeypatch):
    told: list[Any] = []
    given: list[Any] = []

    async def listen_notify(_self: PsycopgConnector, on_notification: Any, channels: Any) -> None:
        given.append((on_notification, list(channels)))

    async def on_notification(*, channel: str, notification: Any) -> None:
        if notification["type"] == "abort_job_requested":
            hash(notification["job_id"])  # the library's worker looks for it among those that run
        told.append(notification)

    async def listen_and_say() -> None:
        manager = App(connector=Connector(conninfo="")).job_manager
        await manager.listen_for_jobs(on_notification=on_notification, queues=["mail"])
        ((handler, channels),) = given
        assert channels == ["procrastinate_queue_v1#mail"]
        for payload in [*UNREADABLE, json.dumps(READABLE)]:
            await handler(channel=channels[0], payload=payload)

    monkeypatch.setattr(PsycopgConnector, "listen_notify", listen_notify)
    with capture_logs() as lines:
        asyncio.run(listen_and_say())
    assert told == [READABLE]
    assert [(line["event"], line["log_level"]) for line in lines] == [("notice_unreadable", "warning")] * len(
        UNREADABLE
    )
    assert CANARY not in json.dumps(lines)
