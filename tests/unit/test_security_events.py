"""Security events: heard by every watcher, and none of them can stop what is watched."""

from __future__ import annotations

import pytest

from apps.tenants.security_events import Kind, security_event
from apps.tenants.slots import Slot, Watcher, slots


@pytest.fixture
def heard(monkeypatch):
    found = []
    watchers = Slot()
    watchers.add(Watcher("a.broken", lambda event: 1 / 0))
    watchers.add(Watcher("b.listening", found.append))
    monkeypatch.setattr(slots, "watchers", watchers)
    return found


def test_a_watcher_that_fails_keeps_nobody_from_hearing(heard):
    security_event(Kind.WEBHOOK_FORGED, channel="stripe")
    assert [(event.kind, event.facts) for event in heard] == [("webhook_forged", {"channel": "stripe"})]
