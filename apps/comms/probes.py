"""What the Security page says about webhooks, looked at now."""

from __future__ import annotations

import base64
import secrets

from django.utils.translation import gettext as _
from standardwebhooks import Webhook, WebhookVerificationError

from apps.tenants import clock
from apps.tenants.context import current
from apps.tenants.egress import Egress
from apps.tenants.encryption import seal, unseal
from apps.tenants.refusals import Refused
from apps.tenants.slots import Finding

from .actions.endpoints import PURPOSE
from .models import DeliveryState, WebhookDelivery, WebhookSecret

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
