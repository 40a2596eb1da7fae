"""The words by which an entry is found: whole, folded, and the longer parts of a reference."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# How an act came about, as words that nobody can type, since a search strips their sign; and the bytes that say so in an
# entry. Within a string of an entry each quote is escaped: no person can write them there.
SUPPORT, BEHALF = "#support", "#behalf"
MARKS = {SUPPORT: (b'"credential":"support"', b'"impersonator":{'), BEHALF: (b'"on_behalf_of":{',)}
LONGEST = 40
MOST = 12
SHORTEST_PART = 5
EDGES = ".,;:!?()[]{}<>\"'“”‘’«»…#"
_part = re.compile(r"[^\W_]+")


@lru_cache(4096)
def words_of(label: str) -> tuple[str, ...]:
    """`Order PR-2026-00012` -> order, pr-2026-00012, 00012; each once, the first dozen. A year would find everything."""
    found: dict[str, None] = {}
    whole = asked_words(label)
    for word in whole:
        found[word] = None
    for word in whole:
        for part in _part.findall(word):
            if len(part) >= SHORTEST_PART:
                found[part[:LONGEST]] = None
    return tuple(found)[:MOST]


def ways_of(body: bytes) -> list[str]:
    """By which of these ways an entry came about, from its bytes; most by none."""
    return [word for word, marks in MARKS.items() if any(mark in body for mark in marks)]


def asked_words(text: str) -> list[str]:
    """The words of what somebody typed, folded as those of entries are."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\x00", "")
    stripped = (word.strip(EDGES)[:LONGEST] for word in folded.split())
    return list(dict.fromkeys(word for word in stripped if word))
