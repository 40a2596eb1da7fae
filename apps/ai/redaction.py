"""What must not reach a model is exchanged for placeholders before the call and put back after it. Pure.

Account and card numbers are found by their checksums, e-mail addresses by their shape; people are handed in by the form.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter

IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?:[ \u00a0-]?[A-Za-z0-9]){11,30}")
CARD = re.compile(r"(?<![\d])\d(?:[ \u00a0-]?\d){12,18}(?![\d])")
EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
SPACES = re.compile(r"[ \u00a0-]")
SHORTEST_IBAN, LONGEST_IBAN = 15, 34


class Redactor:
    """One call's placeholders. They carry a random mark, so that nobody can write one into an answer beforehand."""

    def __init__(self) -> None:
        self._mark = secrets.token_hex(3)
        self._by_value: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}

    @property
    def counts(self) -> dict[str, int]:
        """How many values of each kind were taken out."""
        return dict(sorted(Counter(kind for kind, _value in self._by_value).items()))

    def hide(self, kind: str, value: str) -> str:
        """The placeholder of a value; the same one each time."""
        key = (kind, value)
        if key not in self._by_value:
            number = sum(1 for known, _value in self._by_value if known == kind) + 1
            placeholder = f"[{kind.upper()}-{number}-{self._mark}]"
            self._by_value[key], self._values[placeholder] = placeholder, value
        return self._by_value[key]

    def clean(self, text: str) -> str:
        """The text with every account number, card number and address exchanged."""
        text = IBAN.sub(self._iban, text)
        text = CARD.sub(lambda found: self.hide("card", found[0]) if is_card(found[0]) else found[0], text)
        return EMAIL.sub(lambda found: self.hide("email", found[0]), text)

    def restore(self, text: str) -> str:
        """The text with the values back in the place of this call's own placeholders."""
        for placeholder, value in self._values.items():
            text = text.replace(placeholder, value)
        return text

    def _iban(self, found: re.Match[str]) -> str:
        """The longest beginning of what looks like an IBAN that is one; what follows stays as it is."""
        text = found[0]
        for end in range(len(text), SHORTEST_IBAN - 1, -1):
            if is_iban(text[:end]) and (end == len(text) or not text[end].isalnum() or not text[end - 1].isspace()):
                return self.hide("iban", text[:end]) + text[end:]
        return text


def is_iban(text: str) -> bool:
    """ISO 13616: the rearranged number leaves 1 modulo 97."""
    bare = SPACES.sub("", text).upper()
    if not SHORTEST_IBAN <= len(bare) <= LONGEST_IBAN or not bare.isascii() or not bare.isalnum():
        return False
    if not (bare[:2].isalpha() and bare[2:4].isdigit()):
        return False
    return int("".join(str(int(sign, 36)) for sign in bare[4:] + bare[:4])) % 97 == 1


def is_card(text: str) -> bool:
    """ISO 7812: 13 to 19 digits whose Luhn sum is a multiple of 10, and not all the same."""
    digits = [int(sign) for sign in SPACES.sub("", text)]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [sum(divmod(digit * 2, 10)) if index % 2 else digit for index, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
