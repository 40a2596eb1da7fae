"""What stands in the log for an address that somebody typed before it is known whose it is.

An HMAC under a key of the installation: the same address is seen to be the same, nobody can test a guess without the key,
and no account has to be looked for, which would tell by its time whether there is one.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from uuid import UUID

from apps.tenants.caller import called_for
from apps.tenants.derived import derived_keys

PURPOSE = "accounts in the log"


def account_of(email: str) -> UUID:
    """The id of a typed address."""
    return accounts_of(email)[0]


def accounts_of(email: str) -> list[UUID]:
    """The ids of an address under every secret that is still configured, the newest first."""
    text = email.strip().lower().encode()
    return [UUID(bytes=hmac.new(key, text, sha256).digest()[:16], version=5) for key in derived_keys(PURPOSE)]


@contextmanager
def called_by_address(email: str) -> Iterator[UUID | None]:
    """Inside the block what is kept of the caller is to be erased by this address, whose id it gives; nobody's by none."""
    if not email:
        yield None
        return
    account = account_of(email)
    with called_for(account):
        yield account
