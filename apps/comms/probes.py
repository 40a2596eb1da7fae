"""What the Security page says about webhooks, looked at now."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _
from standardwebhooks import Webhook, WebhookVerificationError

from apps.tenants import clock
from apps.tenants.context import current
from apps.tenants.egress import Egress
from apps.tenants.encryption import seal, unseal
from apps.tenants.refusals import Refused
from apps.tenants.slots import Finding

from .actions.endpoints import PURPOSE
from .models import DeliveryState, InboundEvent, WebhookDelivery, WebhookSecret
from .verifying import SKEW_SECONDS, Forged, of_stripe, standard

BODY = b'{"id":"evt_probe","type":"probe"}'
SKEW = timedelta(seconds=SKEW_SECONDS)
INSIDE = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1")


def webhooks_out() -> Finding:
    """The way out is closed to inner addresses, secrets are stored sealed, and a changed message fails its signature."""
    if let_in := [address for address in INSIDE if not _is_refused(address)]:
        return Finding(False, _("An address inside (%(address)s) is not refused.") % {"address": let_in[0]})
    word = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    sealed = seal(PURPOSE, word)
    if word in sealed or unseal(PURPOSE, sealed) != word or not _is_bound(word):
        return Finding(False, _("Signing or sealing does not do what it must."))
    return Finding(True, _counts())


def webhooks_in() -> Finding:
    """A right message is accepted; a changed one, an old one and one from ahead are not; an event is kept once."""
    from stripe import WebhookSignature  # here, since it is slow to load, and most processes never probe

    word = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    now = clock.now()
    moments = {"now": now, "old": now - 2 * SKEW, "ahead": now + 2 * SKEW}
    accepted = {name for name, moment in moments.items() if _standard_holds(word, moment, BODY)}
    if accepted != {"now"} or _standard_holds(word, now, BODY + b" ") or not _is_unique():
        return Finding(False, _("A message that should not be accepted is, or an event can be kept twice."))
    signed = WebhookSignature.generate_signature_header(BODY.decode(), word)
    ahead = int((now + 2 * SKEW).timestamp())
    late = WebhookSignature.generate_signature_header(BODY.decode(), word, timestamp=ahead)
    if not _stripe_holds(word, signed) or _stripe_holds(word, late) or _stripe_holds(word + "x", signed):
        return Finding(False, _("A message of Stripe is not verified as it must be."))
    open_doors = [*settings.COMMS_WEBHOOK_SECRETS, *(["Stripe"] if settings.STRIPE_WEBHOOK_SECRETS else [])]
    what = ", ".join(open_doors) or _("none, so every message is refused")
    return Finding(
        True, _("Changed, old and future messages are refused. Senders with a secret: %(what)s.") % {"what": what}
    )


def _standard_holds(word: str, moment: datetime, sent: bytes) -> bool:
    headers = {
        "webhook-id": "msg_probe",
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(word).sign("msg_probe", moment, BODY.decode()),
    }
    try:
        standard(sent, headers, [word])
    except Forged:
        return False
    return True


def _stripe_holds(word: str, header: str) -> bool:
    try:
        of_stripe(BODY, header, [word])
    except Forged:
        return False
    return True


def _is_unique() -> bool:
    """Whether the database itself holds the key that makes a repetition harmless."""
    table, names = InboundEvent._meta.db_table, ["source", "event_id"]
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
    return any(one["unique"] and one["columns"] == names for one in found.values())


def _is_refused(address: str) -> bool:
    def resolve(host: str, port: int) -> list[str]:
        return [address]

    try:
        Egress(resolve=resolve, loopback=False).check_url("https://hooks.example/")
    except Refused:
        return True
    return False


def _is_bound(word: str) -> bool:
    now = clock.now()
    headers = {
        "webhook-id": "msg_probe",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(word).sign("msg_probe", now, "{}"),
    }
    Webhook(word).verify("{}", headers)
    try:
        Webhook(word).verify("{ }", headers)
    except WebhookVerificationError:
        return True
    return False


def _counts() -> str:
    text = _("%(n)s kinds of inner address are refused.") % {"n": len(INSIDE)}
    if current().tenant is None:
        return text
    if WebhookSecret.objects.exclude(sealed__startswith="gAAAA").exists():
        return f"{text} " + _("A stored secret is not sealed.")
    states = [DeliveryState.QUEUED, DeliveryState.DELIVERED, DeliveryState.DEAD]
    waiting, done, dead = (WebhookDelivery.objects.filter(state=state).count() for state in states)
    more = _("Of this tenant's messages %(done)s are delivered, %(waiting)s wait, %(dead)s were given up.")
    return f"{text} " + more % {"done": done, "waiting": waiting, "dead": dead}
