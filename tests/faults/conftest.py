"""What the tests of things that are sent out share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.receiver import Receiver, receiving


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A receiver on this machine, and this process allowed to call it."""
    settings.EGRESS_LOOPBACK = True
    with receiving() as found:
        yield found
