"""From which device something was opened, in words that a person recognises."""

from __future__ import annotations

import re
from dataclasses import dataclass

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.translation import gettext as _

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)
PROGRAM = re.compile(r"[A-Za-z][A-Za-z0-9 ._-]{0,30}")
LONGEST_AGENT = 200


@dataclass(frozen=True)
class Device:
    """What a request says of where it came from; the agent is the client's own word."""

    agent: str = ""
    address: str | None = None


def device_of(request: HttpRequest) -> Device:
    """The device of a request; the address is the one behind our own proxies."""
    agent = "".join(sign for sign in request.headers.get("User-Agent", "") if sign.isprintable())
    return Device(agent[:LONGEST_AGENT], client_address(request) or None)


def client_address(request: HttpRequest) -> str:
    """The client's address behind our own proxies; empty where the connection has none."""
    try:
        return str(get_adapter().get_client_ip(request))
    except PermissionDenied:
        return ""


def in_words(agent: str) -> str:
    """`Firefox on Linux`; the name of a program that is no browser; else that it is not known."""
    browser = next((name for mark, name in BROWSERS if f"{mark}/" in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    found = PROGRAM.match(agent)
    return browser or system or (found[0].strip() if found else _("unknown device"))
