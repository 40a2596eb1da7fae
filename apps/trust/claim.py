"""What a claim consists of."""

from __future__ import annotations

from dataclasses import dataclass

from apps.tenants.refusals import Text


@dataclass(frozen=True)
class Claim:
    """One sentence. `code` and `tests` are paths below the project; `probe` is a key of slots.probes."""

    key: str
    title: Text
    sentence: Text
    live: bool = False
    probe: str = ""
    code: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
