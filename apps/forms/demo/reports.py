"""What strangers reported about the demo installation, and what became of it; one was acknowledged late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .story import Said


@dataclass(frozen=True)
class Report:
    """One report: how many days ago, its answers, and its course."""

    days_ago: float
    data: dict[str, Any]
    course: tuple[Said, ...] = ()


def _found(affected: str, kind: str, description: str, steps: str, contact: str = "", name: str = "") -> dict[str, Any]:
    data = {"affected": affected, "kind": kind, "description": description, "steps": steps, "may_name": bool(name)}
    return data | ({"contact": contact} if contact else {}) | ({"name": name} if name else {})


REPORTS = (
    Report(
        34,
        _found(
            "/account/password/reset/",
            "CWE-200",
            "The page answers faster for an address that has no account, so that accounts can be found by timing.",
            "1. Ask for a reset for a known address, 50 times.\n2. Ask for one that nobody has, 50 times.\n"
            "3. Compare the medians: 41 ms and 9 ms.",
            "lena@researcher.example",
            "Lena Fischer",
        ),
        (
            Said("security", "approve", 3, "Thank you. We can see it too and look into the cause."),
            Said("admin", "approve", 20, "Confirmed: the mail was rendered only for known addresses."),
            Said("security", "approve", 120, "Fixed; measured again with 500 requests each, no difference is left."),
        ),
    ),
    Report(
        23,
        _found(
            "/static/css/tokens.css",
            "other",
            "The style sheets can be read without signing in.",
            "Open the address in a private window.",
            "scan@tools.example",
        ),
        (
            Said("security", "approve", 6),
            Said("admin", "reject", 5, "Style sheets are meant to be public; they hold nothing of any tenant."),
        ),
    ),
    Report(
        13,
        _found(
            "GET /api/v1/forms?page_size=",
            "CWE-400",
            "A very large page size makes a worker busy for seconds.",
            "1. Take a token of a tenant with many forms.\n2. Ask with page_size=100000.\n3. The answer takes 6 s.",
            "@mira on the chat server",
        ),
        (
            Said("security", "approve", 95, "Sorry for the late answer: this one lay unseen over a holiday."),
            Said("admin", "approve", 8, "Confirmed. The size is now cut at 100."),
        ),
    ),
    Report(
        4,
        _found(
            "Attachment download",
            "CWE-79",
            "An SVG with a script might run when it is opened from the download list.",
            "1. Attach an .svg to a draft.\n2. It is refused; I could not get past that, but please check.",
            "jo@researcher.example",
            "Jo",
        ),
        (Said("security", "approve", 2, "Thank you; SVG is not on the list of types, and we check what else could."),),
    ),
    Report(
        0.2,
        _found(
            "/t/acme/settings/audit-log/",
            "CWE-352",
            "The verify button may be pressed from another site while I am signed in.",
            "1. Put a form with that action on another origin.\n2. Press it.\n3. I got 403 in Firefox, not tried in Safari.",
            "pat@uni.example",
        ),
    ),
)
