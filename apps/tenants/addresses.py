"""Which IP addresses are of the public Internet, in every way in which one can be written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# Python's own tables differ between its releases; what matters stands here too.
CLOSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
NAT64 = IPv6Network("64:ff9b::/96")
CLOSED_V6 = tuple(
    IPv6Network(text)
    for text in ("::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
                 "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")
)  # fmt: skip
GLOBAL_UNICAST = IPv6Network("2000::/3")
ISATAP = (0x00005EFE, 0x02005EFE)
NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?\Z", re.IGNORECASE)
NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\.?\Z", re.IGNORECASE)


def is_public(text: str) -> bool:
    """Whether an address, and every IPv4 address that it carries inside, is of the public Internet; False for no address."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return _is_public_v4(address)
    if address.scope_id is not None:
        return False
    carried = list(_carried(address))
    if not all(_is_public_v4(inner) for inner in carried):
        return False
    if address.ipv4_mapped or address in NAT64:
        return True
    return address in GLOBAL_UNICAST and not any(address in network for network in CLOSED_V6) and not _reserved(address)


def is_loopback(text: str) -> bool:
    """Whether an address is this very machine, plainly written."""
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


def host_is_plain(host: str) -> bool:
    """Whether a host is a name or a canonical address; not numbers that only some readers take for an address.

    Those are `2130706433`, `0x7f.1`, `0177.0.0.1`, `127.1`.
    """
    try:
        return "%" not in str(ip_address(host))
    except ValueError:
        last = host.removesuffix(".").rsplit(".", 1)[-1]
        return bool(NAME.match(host)) and not NUMBER.match(last)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in network for network in CLOSED_V4) and not _reserved(address)


def _reserved(address: IPv4Address | IPv6Address) -> bool:
    return (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )


def _carried(address: IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses inside: mapped, 6to4 (RFC 3056), Teredo (RFC 4380), NAT64 (RFC 6052), ISATAP (RFC 5214)."""
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in NAT64 or (int(address) >> 32) & 0xFFFFFFFF in ISATAP:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
