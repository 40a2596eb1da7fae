"""Walk a long log in several processes: each takes stretches of it, and their ends must meet."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from uuid import UUID

from django.db import connections

from apps.tenants.context import as_system, current_tenant

from .models import Seal
from .verify import Walker, in_this_process
from .walk import RANGE, Walked, walk_log

STRETCH = RANGE  # entries; a multiple of a tile, and small, so that all processes end together


def in_processes(count: int) -> Walker:
    """A walker over so many processes; forks, so it is for commands and not for servers with threads."""
    if count < 2:
        return in_this_process

    def walk(start: int, end: int, before: bytes, sizes: list[int], pruned: int = 0) -> Iterator[Walked]:
        if end - start <= STRETCH:  # most tenants' logs: processes would take longer to start than this to walk
            yield from in_this_process(start, end, before, sizes, pruned)
            return
        tenant = current_tenant()
        bounds = [(low, min(low + STRETCH, end)) for low in range(start, end, STRETCH)]
        heads = {start: before} | _heads([low - 1 for low, _high in bounds if low > start])
        for alias in connections:
            connections[alias].close()
        with ProcessPoolExecutor(count, multiprocessing.get_context("fork")) as pool:
            parts = [
                pool.submit(
                    _stretch, tenant, low, high, heads.get(low, b""), [s for s in sizes if low < s <= high], pruned
                )
                for low, high in bounds
            ]
            try:
                for part in parts:
                    yield part.result()
            finally:
                for part in parts:
                    part.cancel()

    return walk


def _heads(seqs: list[int]) -> dict[int, bytes]:
    """The stored chain before each stretch; the stretch before proves it."""
    rows = Seal.objects.filter(seq__in=seqs).values_list("seq", "chain")
    return {seq + 1: bytes(chain) for seq, chain in rows}


def _stretch(tenant: UUID, low: int, high: int, before: bytes, sizes: list[int], pruned: int) -> Walked:
    with as_system(tenant):
        return walk_log(tenant, low, high, before, sizes, pruned)
