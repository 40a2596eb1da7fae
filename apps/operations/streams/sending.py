"""Send a stream on, in the order of the log and at least once: read, call with nothing locked, move the cursor after a 2xx.

A worker that dies at any moment leaves the cursor where it was, so nothing is lost; what was taken and not noted is sent
again under the same ids. The log itself is the queue. One job has a stream at a time, for a short turn that ends with a
slow answer; from then on it waits in a lane apart, until it answers quickly again. So a slow destination holds up itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from random import uniform
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from apps.audit import canonical
from apps.audit.actions import record
from apps.audit.models import Seal
from apps.audit.statements import text_of
from apps.comms.actions import tell_owners
from apps.comms.signing import signed_headers
from apps.tenants import clock, egress, measures
from apps.tenants.context import TenantContext, as_system, current_tenant, tenant_context
from apps.tenants.encryption import Unreadable, unseal
from apps.tenants.ids import new_id
from apps.tenants.jobs import defer
from apps.tenants.refusals import Refused

from .actions import PURPOSE
from .models import Stream
from .rules import CONTENT_TYPE, MOST_EVENTS, TELL_AFTER, Sealed, batch, event, is_slow, lane, test_event, wait_after

BOUNDS = egress.Bounds(total=10.0, most_bytes=2048)
RUN_SECONDS = 5.0
HELD_FOR = timedelta(seconds=90)
JITTER = 0.1


@dataclass(frozen=True)
class Result:
    """What one call came to: no status without an answer, no error where it was taken."""

    status: int | None
    error: str
    milliseconds: int


@dataclass(frozen=True)
class Message:
    """What is sent in one call: the places [first, end) of the log."""

    stream: Stream
    first: int
    end: int
    identity: str
    text: str


def beat() -> None:
    """Give every stream that has something to send, and that no job has, its job; called about every second."""
    now = clock.now()
    with tenant_context(TenantContext(platform=True, credential="system")):
        waits = Exists(Seal.objects.filter(tenant_id=OuterRef("tenant_id"), seq=OuterRef("next_seq")))
        due = Stream.objects.running().filter(waits, Q(next_at=None) | Q(next_at__lte=now))
        rows = list(
            due.filter(Q(held_until=None) | Q(held_until__lte=now)).values_list(
                "tenant_id", "pk", "failing_since", "last_ms"
            )
        )
    for tenant, pk, failing_since, last_ms in rows:
        with as_system(tenant), transaction.atomic():
            free = Stream.objects.filter(Q(held_until=None) | Q(held_until__lte=now), pk=pk)
            if free.update(held_until=now + HELD_FOR):
                by_lane = lane(fails=failing_since is not None, milliseconds=last_ms)
                defer("operations.send_stream", queue=by_lane, lock=f"stream:{pk}", stream_id=str(pk))


def send(pk: UUID) -> None:
    """Send what waits, message by message, until nothing does, one is not taken, answers slowly, or the turn is over."""
    started = time.monotonic()
    try:
        while time.monotonic() - started < RUN_SECONDS:
            message = _next(pk)
            if message is None:
                return
            result = _call(message.stream, message.identity, message.text)
            if not _settle(message, result) or is_slow(result.milliseconds):
                return
    finally:
        Stream.objects.filter(pk=pk).update(held_until=None)


def send_test(pk: UUID) -> None:
    """Send the test event, once, and keep what came of it; the cursor stays."""
    stream = Stream.objects.filter(pk=pk).first()
    if stream is None:
        return
    identity = new_id()
    text, _count = batch([test_event(_source(), str(identity), canonical.timestamp(clock.now()))])
    result = _call(stream, f"msg_{identity.hex}", text)
    Stream.objects.filter(pk=pk).update(test_result=result.error or f"HTTP {result.status}")


def _next(pk: UUID) -> Message | None:
    """The next message of a stream; None where it is paused or held, waits after a failure, or has all."""
    stream = Stream.objects.running().filter(pk=pk).first()
    if stream is None or (stream.next_at is not None and stream.next_at > clock.now()):
        return None
    rows = Seal.objects.select_related("entry").filter(seq__gte=stream.next_seq).order_by("seq")[:MOST_EVENTS]
    found = [_sealed(place) for place in rows]
    if not found or found[0].seq != stream.next_seq:
        return None
    text, count = batch([event(_source(), one) for one in found])
    return Message(stream, stream.next_seq, found[count - 1].seq + 1, f"msg_{UUID(found[0].entry).hex}_{count}", text)


def _sealed(place: Seal) -> Sealed:
    entry = place.entry
    try:
        said = entry.document
    except canonical.NotCanonical:
        said = None
    time_ = canonical.timestamp(entry.time)
    return Sealed(place.seq, str(entry.pk), entry.action, time_, text_of(bytes(place.leaf)), said)


def _source() -> str:
    return f"{settings.PUBLIC_URL}/audit/{current_tenant()}"


def _call(stream: Stream, identity: str, text: str) -> Result:
    """Send one message."""
    started = time.monotonic()

    def result(status: int | None, error: str) -> Result:
        return Result(status, error, round((time.monotonic() - started) * 1000))

    try:
        sealed = [stream.secret]
        if stream.old_secret and stream.old_until is not None and stream.old_until > clock.now():
            sealed.append(stream.old_secret)
        headers = signed_headers([unseal(PURPOSE, one) for one in sealed], identity, text, CONTENT_TYPE)
        answer = egress.fetch("POST", stream.url, headers=headers, content=text.encode(), bounds=BOUNDS, cut=True)
    except (Refused, egress.EgressFailed, Unreadable) as error:
        return result(None, str(error)[:300])
    return result(answer.status, "" if 200 <= answer.status < 300 else f"HTTP {answer.status}")


@transaction.atomic
def _settle(message: Message, result: Result) -> bool:
    """Note what came; whether to go on. A cursor that was moved meanwhile, by a replay, stays where it was put."""
    found = Stream.objects.select_for_update().filter(pk=message.stream.pk).first()
    if found is None:
        return False
    found.last_status, found.last_error, found.last_ms = result.status, result.error, result.milliseconds
    if result.error:
        _failed(found)
    else:
        _works(found)
        if found.next_seq == message.first:
            found.next_seq = message.end
    found.save()
    return not result.error


def _failed(found: Stream) -> None:
    """Wait, and tell the owners once when it has failed for long."""
    now = clock.now()
    found.tries += 1
    found.failing_since = found.failing_since or now
    # Spread, so that a receiver that comes back does not get everything at the same second.
    found.next_at = now + timedelta(seconds=wait_after(found.tries) * uniform(1 - JITTER, 1 + JITTER))  # noqa: S311
    if found.told_at is None and now - found.failing_since >= TELL_AFTER:
        _tell(found, "failing")
        found.told_at = now
        measures.STREAM_OUTAGES.inc()


def _works(found: Stream) -> None:
    """Forget the failure, and tell those who were told of it."""
    if found.told_at is not None:
        _tell(found, "works")
    found.tries, found.failing_since, found.next_at, found.told_at, found.taken_at = 0, None, None, None, clock.now()


def _tell(stream: Stream, what: str) -> None:
    """Once an outage: a mail to the owners, and an entry of the log."""
    since = stream.failing_since
    assert since is not None
    record(f"stream.{what}", stream, facts={"since": canonical.timestamp(since), "next": stream.next_seq})
    about = {"host": stream.host, "since": since, "error": stream.last_error, "behind": stream.behind}
    page = f"settings/audit-log/streams/{stream.pk}/"
    tell_owners(f"operations/mail/stream_{what}", page, f"stream_{what}:{stream.pk}:{since.isoformat()}", about)
