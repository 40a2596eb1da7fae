"""What an owner does with streams of the audit log."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit.actions import record
from apps.audit.evidence import sealed_size
from apps.audit.sealer import seal as seal_log
from apps.comms.signing import new_secret
from apps.tenants import clock, egress
from apps.tenants.context import current_tenant, refuse_support, require
from apps.tenants.encryption import seal
from apps.tenants.freshness import require_fresh
from apps.tenants.jobs import defer
from apps.tenants.refusals import Conflict, Invalid, Refused

from .models import Stream
from .rules import MOST_STREAMS, OVERLAP, lane

PURPOSE = "audit stream secret"


@transaction.atomic
def add_stream(*, url: str, by: Any, description: str = "", whole: bool = True) -> tuple[Stream, str]:
    """A new destination and its secret, which is never shown again; from the first entry on, or from now on.

    Raises NotFresh for a sign-in that is too old, Refused for an address where Orkestra does not call, that is there
    already, or one too many.
    """
    refuse_support()
    _may_write()
    require_fresh("stream.add")
    egress.check_url(url)
    if Stream.objects.count() >= MOST_STREAMS:
        raise Refused(_("A tenant has at most %(n)s streams.") % {"n": MOST_STREAMS}, code="too_many")
    if Stream.objects.filter(url=url).exists():
        raise Refused(_("There is a stream to this address already."), code="taken", field="url")
    secret, start = new_secret(), 0 if whole else sealed_size()
    made = Stream.objects.create(url=url, description=description, secret=seal(PURPOSE, secret), next_seq=start)
    record("stream.added", made, facts=egress.destination(url) | {"from": start})
    return made, secret


@transaction.atomic
def remove_stream(stream: Stream, *, by: Any) -> None:
    """Nothing is sent there any more; its secret goes with it."""
    _may_write()
    found = _locked(stream)
    record("stream.removed", found, facts=egress.destination(found.url) | {"next": found.next_seq})
    found.delete()


@transaction.atomic
def pause(stream: Stream, *, by: Any) -> Stream:
    """Send nothing until it is resumed; what comes meanwhile is sent then."""
    _may_write()
    found = _locked(stream)
    if not found.is_paused:
        found.is_paused = True
        found.save()
        record("stream.paused", found, facts={"next": found.next_seq})
    return found


@transaction.atomic
def resume(stream: Stream, *, by: Any) -> Stream:
    """Go on where it was, at once, also where a failure is waited for."""
    _may_write()
    found = _locked(stream)
    found.is_paused, found.is_held, found.next_at, found.tries = False, False, None, 0
    found.save()
    record("stream.resumed", found, facts={"next": found.next_seq})
    return found


@transaction.atomic
def release_held() -> int:
    """End the hold that a restore puts on the streams of the tenant in force, for the operator; returns how many."""
    held = list(Stream.objects.select_for_update().filter(is_held=True))
    for stream in held:
        stream.is_held = False
        stream.save()
        record("stream.released", stream, facts={"next": stream.next_seq})
    return len(held)


@transaction.atomic
def replay(stream: Stream, *, since: int, by: Any) -> Stream:
    """Send everything from this place of the log on, again. Raises Invalid for a place that is not there."""
    refuse_support()
    _may_write()
    seal_log(current_tenant())
    found, size = _locked(stream), sealed_size()
    if not 0 <= since <= size:
        raise Invalid({"since": [_("Give a place from 0 to %(n)s.") % {"n": size}]})
    before, found.next_seq, found.next_at, found.tries = found.next_seq, since, None, 0
    found.save()
    record("stream.replayed", found, facts={"from": since, "before": before})
    return found


@transaction.atomic
def rotate(stream: Stream, *, by: Any) -> str:
    """A new secret, shown once; the one before signs beside it for a day."""
    refuse_support()
    _may_write()
    require_fresh("stream.rotate")
    found, secret = _locked(stream), new_secret()
    found.old_secret, found.old_until, found.secret = found.secret, clock.now() + OVERLAP, seal(PURPOSE, secret)
    found.save()
    record("stream.secret_rotated", found, facts={"before_until": found.old_until.isoformat()})
    return secret


@transaction.atomic
def send_test(stream: Stream, *, by: Any) -> Stream:
    """Queue a harmless event for this destination alone. Raises Conflict while one waits."""
    _may_write()
    found = _locked(stream)
    if found.tested_at is not None and not found.test_result:
        raise Conflict(_("A test is on its way already."), code="test_waits")
    found.tested_at, found.test_result = clock.now(), ""
    found.save()
    record("stream.tested", found)
    by_lane = lane(fails=found.failing_since is not None, milliseconds=found.last_ms)
    defer("operations.test_stream", queue=by_lane, stream_id=str(found.pk))
    return found


def _may_write() -> None:
    require("settings.write")
    require("audit.read")


def _locked(stream: Stream) -> Stream:
    return Stream.objects.select_for_update().get(pk=stream.pk)
