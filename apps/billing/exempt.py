"""What goes on when a trial is over: reading, taking out, deleting, and taking away access or what leaves the house.

Each address stands here with its reason. Where one address both takes away and gives, the button that was pressed
decides: `field` is what it sends. Whatever is not here and may write is locked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Exempt:
    """Addresses that pass; with a `field` only where it was sent, and with `values` only as one of them."""

    path: str
    why: str
    field: str = ""
    values: tuple[str, ...] = ()

    def lets_through(self, path: str, sent: Callable[[], Mapping[str, str]]) -> bool:
        if re.match(self.path, path) is None:
            return False
        if not self.field:
            return True
        return sent().get(self.field, "") in self.values if self.values else self.field in sent()


SETTINGS = r"/t/[^/]+/settings"
ID = "[0-9a-f-]{36}"  # no word: /settings/sso/add/ is another address
EXEMPT: tuple[Exempt, ...] = (
    Exempt(r"/api/v1/auth/", "Signing in and switching tenants."),
    Exempt(r"/ofrep/v1/", "It computes and writes nothing."),
    Exempt(r"/api/v1/audit/verify\Z", "Verifying reads."),
    Exempt(rf"{SETTINGS}/audit-log/\Z", "Verifying reads."),
    Exempt(rf"{SETTINGS}/audit-log/exports/\Z", "Taking the log out stays open."),
    Exempt(r"/t/[^/]+/forms/[^/]+/preview/\Z", "It computes and writes nothing."),
    Exempt(rf"{SETTINGS}/data/\Z", "Taking one's data out stays open."),
    Exempt(r"/t/[^/]+/(forms|submissions)/[^/]+/(delete|discard)/\Z", "Deleting stays open."),
    Exempt(rf"{SETTINGS}/audit-log/views/{ID}/\Z", "Deleting stays open.", "delete"),
    Exempt(rf"{SETTINGS}/billing/", "Paying is how the lock ends."),
    Exempt(rf"{SETTINGS}/api-keys/{ID}/\Z", "Ending a key takes access away."),
    Exempt(rf"{SETTINGS}/api-keys/accounts/{ID}/\Z", "Switching it off takes access away.", "do", ("off",)),
    Exempt(rf"{SETTINGS}/members/{ID}/\Z", "Shutting out and erasing take away.", "do", ("deactivate", "erase")),
    Exempt(rf"{SETTINGS}/members/{ID}/leave/\Z", "Shutting out takes access away."),
    Exempt(rf"{SETTINGS}/invitations/{ID}/\Z", "Withdrawing takes access away.", "do", ("",)),
    Exempt(rf"{SETTINGS}/teams/{ID}/\Z", "Leaving a team takes access away.", "leave"),
    Exempt(rf"{SETTINGS}/sso/{ID}/\Z", "Removing a provider takes access away.", "do", ("remove",)),
    Exempt(rf"{SETTINGS}/sso/{ID}/\Z", "Unlinking takes access away.", "unlink"),
    Exempt(rf"{SETTINGS}/sso/domains/{ID}/\Z", "Removing a domain takes access away.", "do", ("remove",)),
    Exempt(rf"/t/[^/]+/forms/[^/]+/access/{ID}/\Z", "Taking a grant back takes access away."),
    Exempt(rf"/t/[^/]+/stand-in/{ID}/end/\Z", "Ending it takes power away."),
    Exempt(rf"{SETTINGS}/webhooks/{ID}/act/\Z", "It stops what leaves the house.", "do", ("off", "delete", "end")),
    Exempt(rf"{SETTINGS}/audit-log/streams/{ID}/act/\Z", "It stops what leaves.", "do", ("pause", "remove")),
    Exempt(rf"{SETTINGS}/ai/switch/\Z", "It stops what leaves the house.", "is_on", ("off",)),
)


def passes(method: str, path: str, sent: Callable[[], Mapping[str, str]] = dict) -> bool:
    """Whether such a request goes on when a trial is over; `sent` is asked for only where a button decides."""
    return method in READS or method == "DELETE" or any(one.lets_through(path, sent) for one in EXEMPT)
