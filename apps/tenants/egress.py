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
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any

import httpcore
import httpx
from django.conf import settings
from django.utils.translation import gettext as _

from .addresses import host_is_plain, is_loopback, is_public
from .refusals import Refused

LONGEST_URL = 2000
HIGHEST_PORT = 65_535
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 5.0, 10.0, 15.0
MOST_BYTES = 64 * 1024
OURS = frozenset({"host", "connection", "accept-encoding", "content-length", "transfer-encoding"})
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
        bounds = bounds or Bounds()
        started = time.monotonic()
        target = self._target(url)
        backend = _Pinned(self.addresses(target, started + bounds.total), started + bounds.total)
        try:
            status, answered, body = _exchange(
                backend, self.trust(), method, target, headers or {}, content, bounds, cut
            )
        except httpcore.TimeoutException:
            raise EgressFailed(Why.TIMEOUT, _("No answer within the time that we wait.")) from None
        except httpcore.ConnectError as error:
            raise _connecting(error) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError, ValueError) as error:
            detail = _("The connection broke, or what came was no HTTP (%(error)s).") % {"error": type(error).__name__}
            raise EgressFailed(Why.PROTOCOL, detail) from None
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
    try:
        host = httpx.URL(url).netloc.decode("ascii")
    except (httpx.InvalidURL, ValueError):  # somebody wrote it past `check_url`
        host = ""
    return {"host": host, "url_sha256": hashlib.sha256(url.encode()).hexdigest()}


def port_of(target: httpx.URL) -> int:
    """The port of an address, written or not."""
    return target.port or (443 if target.scheme == "https" else 80)


@dataclass
class _Stream(httpcore.NetworkStream):
    """A connection none of whose waits goes past the deadline, however slowly the other side drips."""

    inner: httpcore.NetworkStream
    deadline: float

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.inner.read(max_bytes, _left(self.deadline, timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.inner.write(buffer, _left(self.deadline, timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self.inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(self.deadline, timeout, httpcore.ConnectTimeout)
        return _Stream(self.inner.start_tls(ssl_context, server_hostname, left), self.deadline)

    def get_extra_info(self, info: str) -> Any:
        return self.inner.get_extra_info(info)


@dataclass
class _Pinned(httpcore.NetworkBackend):
    """Connects to addresses that were checked, in turn; it never looks at a name."""

    checked: list[str]
    deadline: float
    network: httpcore.NetworkBackend = field(default_factory=httpcore.SyncBackend)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        for address in self.checked[:-1]:
            try:
                return self._dial(address, port, timeout)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._dial(self.checked[-1], port, timeout)

    def _dial(self, address: str, port: int, timeout: float | None) -> httpcore.NetworkStream:
        left = _left(self.deadline, timeout, httpcore.ConnectTimeout)
        return _Stream(self.network.connect_tcp(address, port, left), self.deadline)


def _exchange(
    backend: _Pinned,
    trust: ssl.SSLContext,
    method: str,
    target: httpx.URL,
    headers: Mapping[str, str],
    content: bytes,
    bounds: Bounds,
    cut: bool,
) -> tuple[int, dict[str, str], bytes]:
    sent = [(b"Host", target.netloc), (b"Connection", b"close"), (b"Accept-Encoding", b"identity")]
    sent += [
        (name.encode("ascii"), value.encode("utf-8")) for name, value in headers.items() if name.lower() not in OURS
    ]
    sent += [(b"Content-Length", str(len(content)).encode())] if content or method != "GET" else []
    timeouts = {"connect": bounds.connect, "read": bounds.read, "write": bounds.read, "pool": bounds.total}
    place = httpcore.URL(
        scheme=target.scheme.encode(), host=target.raw_host, port=port_of(target), target=target.raw_path
    )
    with (
        httpcore.ConnectionPool(ssl_context=trust, network_backend=backend, max_connections=1, retries=0) as pool,
        pool.stream(method, place, headers=sent, content=content, extensions={"timeout": timeouts}) as response,
    ):
        answered = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return response.status, answered, _bounded(response.iter_stream(), bounds.most_bytes, cut)


def _bounded(chunks: Iterable[bytes], most: int, cut: bool) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > most:
            if cut:
                return bytes(body[:most])
            raise EgressFailed(Why.TOO_LARGE, _("The answer is larger than %(most)s bytes.") % {"most": most})
    return bytes(body)


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


def _left(deadline: float, timeout: float | None, late: type[Exception]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise late()
    return min(left, timeout) if timeout is not None else left


def _connecting(error: Exception) -> EgressFailed:
    if isinstance(error.__cause__ or error.__context__, ssl.SSLError):
        return EgressFailed(Why.TLS, _("The certificate of this host does not hold for its name."))
    return EgressFailed(Why.UNREACHABLE, _("Nothing answers at this address."))


_way_out = Egress()
fetch = _way_out.fetch
check_url = _way_out.check_url
