"""Small pieces that every page uses: states as icon and word, times in the tenant's zone."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from typing import Any
from zipfile import ZipFile
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# state -> (tone, icon)
LOOKS: dict[str, tuple[str, str]] = {
    "draft": ("plain", "pencil"),
    "in_review": ("info", "clock"),
    "open": ("info", "clock"),
    "changes_requested": ("warn", "corner-up-left"),
    "sent_back": ("warn", "corner-up-left"),
    "approved": ("good", "check"),
    "approve": ("good", "check"),
    "rejected": ("bad", "x"),
    "reject": ("bad", "x"),
    "send_back": ("warn", "corner-up-left"),
    "withdrawn": ("plain", "undo-2"),
    "skipped": ("plain", "minus"),
    "closed": ("plain", "minus"),
    "upcoming": ("plain", "circle"),
    "stuck": ("bad", "triangle-alert"),
    "holds": ("good", "check"),
    "broken": ("bad", "triangle-alert"),
    "unknown": ("warn", "circle-question-mark"),
    "overdue": ("bad", "clock"),
    "due": ("warn", "clock"),
    "queued": ("info", "clock"),
    "delivered": ("good", "check"),
    "done": ("good", "check"),
    "running": ("info", "clock"),
    "failed": ("bad", "x"),
    "dead": ("bad", "x"),
    "used": ("good", "check"),
    "dismissed": ("plain", "x"),
}


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str, size: int = 16) -> SafeString:
    """A line icon that screen readers pass over. Raises KeyError where there is none of this name."""
    head, _, drawing = drawings().read(f"{name}.svg").decode().partition(">")
    attributes = " ".join(head.split()).replace(' xmlns="http://www.w3.org/2000/svg"', "")
    sized = attributes.replace('width="24" height="24"', f'width="{size}" height="{size}"')
    return SafeString(f'{sized} aria-hidden="true">{drawing.rstrip()}')


@lru_cache(maxsize=1)
def drawings() -> ZipFile:
    """Lucide's archive. Its own tag reads the list of all 1,700 drawings anew for each icon."""
    return ZipFile(BytesIO((files("lucide") / "lucide.zip").read_bytes()))


@register.simple_tag
def state(key: str, label: Any) -> SafeString:
    """A state as a tinted pill: always an icon and a word."""
    tone, picture = LOOKS.get(str(key), ("plain", "circle"))
    return format_html('<span class="state {}">{}{}</span>', tone, icon(picture, 14), label)


@register.simple_tag(takes_context=True)
def when(context: template.Context, moment: datetime | None, style: str = "short") -> SafeString:
    """A time in the tenant's zone: short (23 Nov, 09:14), long (with year, seconds and zone) or day."""
    if moment is None:
        return SafeString("")
    tenant = context.get("tenant")
    zone = ZoneInfo(tenant.timezone) if tenant else ZoneInfo("UTC")
    local = timezone.localtime(moment, zone)
    this_year = local.year == timezone.localtime(timezone.now(), zone).year
    shape = {
        "short": "j M, H:i" if this_year else "j M Y, H:i",
        "day": "D j M" if this_year else "D j M Y",
        "long": "D j M Y, H:i:s",
    }[style]
    text = date_format(local, shape, use_l10n=False)
    shown = f"{text} {local.tzname()}" if style == "long" else text
    title = f"{local:%Y-%m-%d %H:%M:%S} {zone.key}"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), title, shown)


@register.filter
def is_past(moment: datetime | None) -> bool:
    """Whether a deadline is over."""
    return moment is not None and moment < timezone.now()


@register.filter
def initials(name: str) -> str:
    """Two letters for an avatar."""
    words = [word for word in str(name).split() if word]
    return "".join(word[0] for word in (words[:1] + words[-1:] if len(words) > 1 else words[:1])).upper()


@register.filter
def filesize(size: int) -> str:
    """`12 KB`, `1.4 MB`, `10.7 GB`."""
    if size < 1_000_000:
        return f"{max(1, round(size / 1000))} KB"
    return f"{size / 1_000_000:.1f} MB" if size < 1_000_000_000 else f"{size / 1_000_000_000:.1f} GB"


@register.filter
def grouped(number: int) -> str:
    """`50,000`."""
    return f"{number:,}"
