"""What the tests of things that are sent out share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orkestra.settings.databases import email
from tests.receiver import Receiver, receiving
from tests.smtp import MailServer


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A receiver on this machine, and this process allowed to call it."""
    settings.EGRESS_LOOPBACK = True
    with receiving() as found:
        yield found


@pytest.fixture
def post(settings: Any) -> Iterator[MailServer]:
    """A mail server, and this process told to use it."""
    server = MailServer()
    for name, value in email(server.url).items():
        setattr(settings, name, value)
    yield server
    server.free.set()
    server.shutdown()
    server.server_close()
