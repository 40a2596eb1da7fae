"""From the address of a database to a connection: what the address leaves open is bounded."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import make_conninfo

from orkestra.settings.databases import bounded, database

WELCOME = b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I"  # AuthenticationOk, ReadyForQuery


@pytest.fixture
def address() -> Iterator[str]:
    """A server on TCP that lets everybody in and then says nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def welcome() -> None:
            guest, _from = server.accept()
            with guest:
                guest.recv(4096)
                guest.sendall(WELCOME)
                guest.recv(4096)

        thread = threading.Thread(target=welcome)
        thread.start()
        yield f"postgresql://someone@127.0.0.1:{server.getsockname()[1]}/orkestra?sslmode=disable"
        thread.join()


def of_django(address: str) -> str:
    return make_conninfo(address, **database(address, "DATABASE_URL", "statement")["OPTIONS"])


def past_django(address: str) -> str:
    return bounded(address, "DATABASE_DIRECT_URL")


def silence_of(address: str) -> tuple[int, ...]:
    """Seconds and counts that the kernel was told for a connection to this address."""
    with (
        psycopg.connect(address) as connection,
        socket.socket(fileno=os.dup(connection.fileno())) as wire,
    ):
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        return tuple(wire.getsockopt(socket.IPPROTO_TCP, name) for name in names)


@pytest.mark.parametrize("way", [of_django, past_django])
def test_a_server_that_falls_silent_is_given_up_within_seconds(address, way):
    assert silence_of(way(address)) == (5, 2, 3, 10_000)


@pytest.mark.parametrize("way", [of_django, past_django])
def test_the_address_may_say_other_bounds(address, way):
    assert silence_of(way(address + "&keepalives_idle=60&tcp_user_timeout=30000")) == (60, 2, 3, 30_000)


def test_no_address_stays_none():
    assert past_django("") == ""


def test_what_is_no_address_is_refused_by_its_name():
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL is not a PostgreSQL address"):
        database("mysql://x", "DATABASE_URL", "statement")
