"""What anybody asks for by an address alone: the same work whoever is asked about; a job looks, after the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from apps.tenants.caller import Caller, called_by, caller
from apps.tenants.encryption import seal, unseal
from apps.tenants.jobs import defer_apart

SEALED_BYTES = 1024


def promise(task: str, purpose: str, email: str, **more: str) -> None:
    """Queue the job that looks for the address.

    What is asked is sealed at one length, so that whoever reads the queue sees neither the address nor how long it is.
    """
    asked = json.dumps({**more, "email": email.strip().lower(), "caller": asdict(caller())})
    defer_apart(task, queue="accounts", sealed=seal(purpose, asked.ljust(SEALED_BYTES)))


@contextmanager
def opened(purpose: str, sealed: str) -> Iterator[dict[str, str]]:
    """What was asked, in the job: `email` and whatever came with it; inside the block the caller is whoever asked."""
    asked = json.loads(unseal(purpose, sealed))
    with called_by(Caller(**asked.pop("caller"))):
        yield asked
