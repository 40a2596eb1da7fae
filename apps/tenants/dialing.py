"""One call to addresses that were checked: the connection, its bounds, and what its failures are called.

Beside `egress.py`, which says where a call may go, since loading httpcore takes longer than most commands need.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpcore
from django.utils.translation import gettext as _

from .egress import Bounds, EgressFailed, Why, port_of

if TYPE_CHECKING:
    import httpx

OURS = frozenset({"host", "connection", "accept-encoding", "content-length", "transfer-encoding"})


@dataclass(frozen=True)
class Exchange:
    """What is asked; a body beyond `bounds.most_bytes` is a failure, or cut there where `cut` says so."""

    method: str
    target: httpx.URL
    headers: Mapping[str, str]
    content: bytes
    bounds: Bounds
    cut: bool

    def answer(
        self, checked: list[str], trust: Callable[[], ssl.SSLContext], deadline: float
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of what one of the checked addresses answers. Raises EgressFailed."""
        try:
            return self._exchange(_Pinned(checked, deadline), trust())
        except httpcore.TimeoutException:
            raise EgressFailed(Why.TIMEOUT, _("No answer within the time that we wait.")) from None
        except httpcore.ConnectError as error:
            raise _connecting(error) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError, ValueError) as error:
            detail = _("The connection broke, or what came was no HTTP (%(error)s).") % {"error": type(error).__name__}
            raise EgressFailed(Why.PROTOCOL, detail) from None

    def _exchange(self, backend: _Pinned, trust: ssl.SSLContext) -> tuple[int, dict[str, str], bytes]:
        target, bounds = self.target, self.bounds
        timeouts = {"connect": bounds.connect, "read": bounds.read, "write": bounds.read, "pool": bounds.total}
        place = httpcore.URL(
            scheme=target.scheme.encode(), host=target.raw_host, port=port_of(target), target=target.raw_path
        )
        asked: dict[str, Any] = {"headers": self._sent(), "content": self.content, "extensions": {"timeout": timeouts}}
        with (
            httpcore.ConnectionPool(ssl_context=trust, network_backend=backend, max_connections=1, retries=0) as pool,
            pool.stream(self.method, place, **asked) as response,
        ):
            answered = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return response.status, answered, self._bounded(response.iter_stream())

    def _sent(self) -> list[tuple[bytes, bytes]]:
        sent = [(b"Host", self.target.netloc), (b"Connection", b"close"), (b"Accept-Encoding", b"identity")]
        for name, value in self.headers.items():
            if name.lower() not in OURS:
                sent.append((name.encode("ascii"), value.encode("utf-8")))
        if self.content or self.method != "GET":
            sent.append((b"Content-Length", str(len(self.content)).encode()))
        return sent

    def _bounded(self, chunks: Iterable[bytes]) -> bytes:
        body, most = bytearray(), self.bounds.most_bytes
        for chunk in chunks:
            body += chunk
            if len(body) > most:
                if self.cut:
                    return bytes(body[:most])
                raise EgressFailed(Why.TOO_LARGE, _("The answer is larger than %(most)s bytes.") % {"most": most})
        return bytes(body)


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


def _left(deadline: float, timeout: float | None, late: type[Exception]) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise late()
    return min(left, timeout) if timeout is not None else left


def _connecting(error: Exception) -> EgressFailed:
    if isinstance(error.__cause__ or error.__context__, ssl.SSLError):
        return EgressFailed(Why.TLS, _("The certificate of this host does not hold for its name."))
    return EgressFailed(Why.UNREACHABLE, _("Nothing answers at this address."))
