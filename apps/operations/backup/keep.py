"""Which backups stay: the newest of 7 days, 4 weeks and 12 months, and always the last one that was verified."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from .manifest import VERIFIED, Damaged, all_in, read

DAYS, WEEKS, MONTHS = 7, 4, 12


def kept(moments: dict[Path, datetime]) -> set[Path]:
    """Of these backups, those that stay by their age: the newest of each period, so many periods back."""
    rules: list[tuple[int, Callable[[datetime], object]]] = [
        (DAYS, lambda moment: moment.date()),
        (WEEKS, lambda moment: moment.isocalendar()[:2]),
        (MONTHS, lambda moment: (moment.year, moment.month)),
    ]
    found: set[Path] = set()
    for most, period in rules:
        newest: dict[object, Path] = {}
        for path in sorted(moments, key=lambda path: moments[path]):
            newest[period(moments[path])] = path
        found |= set(list(newest.values())[-most:])
    return found


def rotate(folder: Path) -> list[Path]:
    """Remove what has grown old; returns what was removed. What cannot be read is left for a person to look at."""
    moments = {}
    for path in all_in(folder):
        try:
            moments[path] = read(path).moment
        except Damaged:
            continue
    verified = [path for path in moments if (path / VERIFIED).exists()]
    stays = kept(moments) | set(verified[-1:])
    gone = sorted(set(moments) - stays)
    for path in gone:
        shutil.rmtree(path)
    return gone
