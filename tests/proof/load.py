"""Many clients of many tenants over two connections: each answer is looked at, row by row."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from uuid import UUID, uuid4

from django.db import IntegrityError, connection, transaction

from apps.accounts.models import Team
from apps.tenants.context import as_system
from apps.tenants.models import Tenant

CLIENTS, SERVERS, TENANTS, REQUESTS = 24, 2, 100, 10_000
TEAMS = 3


@dataclass
class Load:
    """What a run showed: rows of another tenant than the asking one, and answers that lack rows of their own."""

    clients: int
    tenants: int
    requests: int = 0
    rows: int = 0
    wrong_rows: int = 0
    incomplete: int = 0
    seconds: float = 0.0
    server_connections: int = 0
    errors: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        return {key: round(value, 2) if isinstance(value, float) else value for key, value in asdict(self).items()}


@contextmanager
def tenants(count: int) -> Iterator[list[UUID]]:
    """So many tenants with a few rows each, that name their tenant in their text too."""
    made = []
    for _ in range(count):
        key = uuid4()
        with as_system(key), transaction.atomic():
            Tenant(id=key, slug=f"load-{key.hex[:16]}", name="Load").save(force_insert=True)
            Team.objects.bulk_create([Team(name=str(key), slug=f"team-{number}") for number in range(TEAMS)])
        made.append(key)
    yield made


def run(keys: list[UUID], *, clients: int, requests: int, seed: int) -> Load:
    """Send at least so many requests from so many threads; each asks as a tenant of its own choosing, again and again another."""
    found, lock = Load(clients, len(keys)), threading.Lock()
    started = time.perf_counter()
    threads = [
        threading.Thread(
            target=_client, args=(keys, -(-requests // clients), random.Random(f"{seed}-{number}"), found, lock)
        )
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.seconds = time.perf_counter() - started
    return found


def _client(keys: list[UUID], count: int, chosen: random.Random, found: Load, lock: threading.Lock) -> None:
    try:
        for _ in range(count):
            key = chosen.choice(keys)
            with as_system(key):
                rows = chosen.choice(ASKED)(key)
            with lock:
                found.requests += 1
                found.rows += len(rows)
                found.wrong_rows += sum(1 for tenant, name in rows if tenant != key or name != str(key))
                found.incomplete += len(rows) < TEAMS
    except Exception as error:  # a client that dies is a finding, and must not hide in its thread
        with lock:
            found.errors.append(f"{type(error).__name__}: {error}")
    finally:
        connection.close()


Rows = list[tuple[UUID, str]]


def _listed(key: UUID) -> Rows:
    """Past the manager: what the database alone lets through."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id, name FROM accounts_team")
        return list(cursor.fetchall())


def _by_the_manager(key: UUID) -> Rows:
    return list(Team.objects.values_list("tenant_id", "name"))


def _after_a_savepoint(key: UUID) -> Rows:
    """A savepoint that is undone takes its SET LOCAL with it."""
    with transaction.atomic():
        first = _listed(key)
        try:
            with transaction.atomic():
                Team.objects.create(name=str(key), slug="team-0")
        except IntegrityError:
            pass
        return [*first, *_listed(key)]


def _after_an_abort(key: UUID) -> Rows:
    try:
        with transaction.atomic():
            Team.objects.create(name=str(key), slug="team-1")
    except IntegrityError:
        pass
    return _listed(key)


def _after_a_write(key: UUID) -> Rows:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("UPDATE accounts_team SET name = %s", [str(key)])  # all that it sees, and that is its own
        return _listed(key)


ASKED: tuple[Callable[[UUID], Rows], ...] = (
    _listed,
    _by_the_manager,
    _after_a_savepoint,
    _after_an_abort,
    _after_a_write,
)
