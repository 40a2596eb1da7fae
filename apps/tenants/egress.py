"""The one way out to addresses that people type: HTTPS, to public hosts only, bounded in time and size.

Webhooks, anchors and sign-in providers are reached from inside our network, so their addresses are where a stranger
could make us call ourselves. The name is resolved once, every address it has must be public, and the connection is made
to an address that was checked: a name that answers differently the next time gains nothing (DNS rebinding). TLS is
verified against the name. Redirects are handed back and not followed; proxies of the environment are not asked.
"""

from __future__ import annotations

import hashlib
import json
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.translation import gettext as _

from .addresses import host_is_plain, is_loopback, is_public
from .refusals import Refused

if TYPE_CHECKING:  # httpx and what is below it are loaded by the first call: most processes make none
    import httpx

LONGEST_URL = 2000
HIGHEST_PORT = 65_535
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 5.0, 10.0, 15.0
MOST_BYTES = 64 * 1024
Resolver = Callable[[str, int], list[str]]


class Why(StrEnum):
    """What kept a call from being answered."""

    UNRESOLVED = "unresolved"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    PROTOCOL = "protocol"


class EgressFailed(Exception):
    """The other side could not be asked, or did not answer within the bounds; `why` is for code, the text for people."""

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(detail)
        self.why = why


@dataclass(frozen=True)
class Answer:
    """What came back: header names in lower case, the body as it was sent; a redirect is an answer like any other."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    milliseconds: int

    def json(self) -> Any:
        """The body read as JSON. Raises EgressFailed where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise EgressFailed(Why.PROTOCOL, _("The answer is not JSON.")) from None


@dataclass(frozen=True)
class Bounds:
    """How long one call may take, in seconds, and how much of its answer is read, in bytes."""

    connect: float = CONNECT_SECONDS
    read: float = READ_SECONDS
    total: float = TOTAL_SECONDS
    most_bytes: int = MOST_BYTES


def system_resolver(host: str, port: int) -> list[str]:
    """Every address of a name, as the system answers. Raises OSError, UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_rest, address in found))


@cache
def public_trust() -> ssl.SSLContext:
    """The public certificate authorities, as httpx ships them; the environment cannot add to them."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


@dataclass(frozen=True)
class Egress:
    """A way out; `fetch` and `check_url` below are the one that the product uses."""

    resolve: Resolver = system_resolver
    trust: Callable[[], ssl.SSLContext] = public_trust
    loopback: bool | None = None

    def check_url(self, url: str) -> None:
        """Refuse what will never be called. A name that does not resolve now passes: it may later, and is checked then."""
        target = self._target(url)
        try:
            self.addresses(target, time.monotonic() + CONNECT_SECONDS)
        except EgressFailed:
            return

    def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        bounds: Bounds | None = None,
        cut: bool = False,
    ) -> Answer:
        """Ask once, and hand back what was answered. Raises Refused for an address, EgressFailed for anything else.

        A body beyond `bounds.most_bytes` is a failure, or cut there where `cut` says so.
        """
        from .dialing import Exchange

        bounds = bounds or Bounds()
        started = time.monotonic()
        target = self._target(url)
        checked = self.addresses(target, started + bounds.total)
        call = Exchange(method, target, headers or {}, content, bounds, cut)
        status, answered, body = call.answer(checked, self.trust, started + bounds.total)
        return Answer(status, answered, body, int((time.monotonic() - started) * 1000))

    def addresses(self, target: httpx.URL, deadline: float) -> list[str]:
        """Where to connect, resolved once. Raises Refused when any of them is not public, EgressFailed when there is none."""
        found = _within(deadline, lambda: self.resolve(target.raw_host.decode("ascii"), port_of(target)))
        if not found:
            raise EgressFailed(Why.UNRESOLVED, _("The name of this host cannot be resolved."))
        if self._allows_loopback() and all(is_loopback(address) for address in found):
            return found
        if target.scheme != "https":
            raise Refused(_("The address must start with https://."), code="address_refused", field="url")
        if not all(is_public(address) for address in found):
            # Which one it is stays untold: a name of our own network must not be explored from outside.
            raise Refused(
                _("This address leads into a private or reserved network, where Orkestra does not call."),
                code="address_refused",
                field="url",
            )
        return found

    def _target(self, url: str) -> httpx.URL:
        """The parsed address; check and connection both read this one, so they cannot disagree."""
        import httpx

        try:
            target = httpx.URL(url) if len(url) <= LONGEST_URL else None
        except (httpx.InvalidURL, ValueError, UnicodeError):
            target = None
        if (
            target is None
            or not target.raw_host
            or not url.isprintable()
            or " " in url
            or port_of(target) > HIGHEST_PORT
        ):
            raise Refused(_("This is not a complete web address."), code="address_refused", field="url")
        if target.scheme != "https" and not (target.scheme == "http" and self._allows_loopback()):
            raise Refused(_("The address must start with https://."), code="address_refused", field="url")
        if target.userinfo or target.fragment:
            raise Refused(_("Leave out a user name, a password and a # part."), code="address_refused", field="url")
        if not host_is_plain(target.raw_host.decode("ascii")):
            raise Refused(_("Write the host as a name or as a plain IP address."), code="address_refused", field="url")
        return target

    def _allows_loopback(self) -> bool:
        return bool(settings.EGRESS_LOOPBACK if self.loopback is None else self.loopback)


def destination(url: str) -> dict[str, str]:
    """What the log keeps of an address: its host, and the SHA-256 of the whole, since path and query can hold a key."""
    import httpx

    try:
        host = httpx.URL(url).netloc.decode("ascii")
    except (httpx.InvalidURL, ValueError):  # somebody wrote it past `check_url`
        host = ""
    return {"host": host, "url_sha256": hashlib.sha256(url.encode()).hexdigest()}


def port_of(target: httpx.URL) -> int:
    """The port of an address, written or not."""
    return target.port or (443 if target.scheme == "https" else 80)


def _within(deadline: float, resolve: Callable[[], list[str]]) -> list[str]:
    """What a resolver answers, or a failure at the deadline: the system's own patience is not ours to set."""
    answers: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(resolve())
        except (OSError, UnicodeError):
            answers.put([])

    threading.Thread(target=ask, daemon=True, name="resolver").start()
    try:
        return answers.get(timeout=max(deadline - time.monotonic(), 0.01))
    except queue.Empty:
        raise EgressFailed(Why.TIMEOUT, _("The name of this host was not resolved in time.")) from None


_way_out = Egress()
fetch = _way_out.fetch
check_url = _way_out.check_url
