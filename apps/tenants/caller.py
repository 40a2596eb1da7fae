"""Where the request in force came from, for whoever keeps it as an erasable value. Never part of an identity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Caller:
    """The client's address behind our own proxies, and what it calls itself; empty where there is no request.

    `person` is whose these are where nobody is signed in: a user's id, or what stands for an address that was typed.
    """

    address: str = ""
    agent: str = ""
    person: UUID | None = None


NO_CALLER = Caller()
_caller: ContextVar[Caller] = ContextVar("orkestra_caller", default=NO_CALLER)


def caller() -> Caller:
    """The caller in force; empty in jobs and commands."""
    return _caller.get()


@contextmanager
def called_for(person: UUID) -> Iterator[None]:
    """Inside the block what is kept of the caller is this person's to have erased, though nobody is signed in."""
    with called_by(replace(caller(), person=person)):
        yield


@contextmanager
def called_by(found: Caller) -> Iterator[None]:
    """Answer this caller inside the block."""
    token = _caller.set(found)
    try:
        yield
    finally:
        _caller.reset(token)
