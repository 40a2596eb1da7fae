"""The signature of a job: whoever can write into the queue's table cannot make a job that any worker runs.

HMAC-SHA-256 (RFC 2104) over the name of the task and all of its arguments, the tenant among them, as canonical JSON. The
key is derived from the secret for this purpose alone (HKDF-SHA-256, RFC 5869), so no other signature of ours is one of a
job, and the database never holds it. The newest secret signs; what an earlier one signed, while it is still configured
(`ORKESTRA_SECRET_KEY_OLD`), holds too.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

MAC = "mac"
PURPOSE = b"orkestra signed jobs"


class JobForged(Exception):
    """A job that we did not queue, or not for this task, tenant and arguments. It is never run, and never tried again."""


def signed(task: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the MAC of this installation beside them; they are strings and numbers."""
    return {**arguments, MAC: _mac(_key(settings.SECRET_KEY), task, arguments)}


def opened(task: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a job as they were signed for this very task. Raises JobForged with the reason as its text."""
    arguments = {name: value for name, value in found.items() if name != MAC}
    mac = found.get(MAC)
    if not isinstance(mac, str) or not mac:
        raise JobForged("missing")
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    expected = [_mac(_key(secret), task, arguments) for secret in secrets]
    if not any(hmac.compare_digest(one.encode(), mac.encode(errors="replace")) for one in expected):
        raise JobForged("wrong")
    return arguments


def _mac(key: bytes, task: str, arguments: Mapping[str, Any]) -> str:
    text = json.dumps({"task": task, "arguments": dict(arguments)}, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), sha256).hexdigest()


@lru_cache(maxsize=8)
def _key(secret: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=PURPOSE).derive(secret.encode())
