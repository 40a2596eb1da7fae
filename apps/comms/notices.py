"""The worker's ear: a notice says only that there is something to look at, so that one nobody can read is passed over."""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from procrastinate import PsycopgConnector
from procrastinate.connector import Notify

log = structlog.get_logger(__name__)


class Connector(PsycopgConnector):
    """As the library's, but no notice ends the worker: PostgreSQL lets every role send one, with any text."""

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        """Hand each notice on; one that the library cannot deal with is told by its channel and dropped."""

        async def heard(*, channel: str, payload: str) -> None:
            try:
                await on_notification(channel=channel, payload=payload)
            except Exception as error:
                # Whatever was meant by it, the queue is looked at every few seconds anyway. The text is a stranger's.
                log.warning("notice_unreadable", channel=channel, reason=type(error).__name__)

        await super().listen_notify(heard, channels)
