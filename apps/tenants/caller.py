"""Where the request in force came from, for whoever keeps it as an erasable value. Never part of an identity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The client's address behind our own proxies, and what it calls itself; empty where there is no request."""

    address: str = ""
    agent: str = ""


NO_CALLER = Caller()
_caller: ContextVar[Caller] = ContextVar("orkestra_caller", default=NO_CALLER)


def caller() -> Caller:
    """The caller in force; empty in jobs and commands."""
    return _caller.get()


@contextmanager
def called_by(found: Caller) -> Iterator[None]:
    """Answer this caller inside the block."""
    token = _caller.set(found)
    try:
        yield
    finally:
        _caller.reset(token)
