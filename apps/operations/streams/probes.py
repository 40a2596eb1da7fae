"""What the Security page says of streams, looked at now."""

from __future__ import annotations

from django.utils.translation import gettext as _
from standardwebhooks import Webhook, WebhookVerificationError

from apps.comms.signing import new_secret, signed_headers
from apps.tenants.context import current
from apps.tenants.egress import Egress
from apps.tenants.refusals import Refused
from apps.tenants.slots import Finding

from .models import Health, Stream
from .rules import CONTENT_TYPE, Sealed, batch, event


def streams() -> Finding:
    """What would be sent is signed and a changed message is not; inner addresses are refused; how far each stream is."""
    text, _count = batch([event("probe", Sealed(0, "probe", "probe", "", "", {}))])
    if not _is_bound(new_secret(), text) or not _is_refused("10.0.0.1"):
        return Finding(False, _("A changed message passes, or an address inside our network is called."))
    if current().tenant is None:
        return Finding(True, _("Messages are bound to their secret, and addresses inside are refused."))
    rows = list(Stream.objects.all())
    if failing := [one for one in rows if one.health is Health.FAILING]:
        return Finding(None, _("%(n)s of %(all)s streams take nothing now.") % {"n": len(failing), "all": len(rows)})
    behind = max((one.behind for one in rows), default=0)
    return Finding(True, _("%(n)s streams, at most %(behind)s entries behind.") % {"n": len(rows), "behind": behind})


def _is_bound(word: str, text: str) -> bool:
    headers = signed_headers([word], "msg_probe", text, CONTENT_TYPE)
    Webhook(word).verify(text, headers)
    try:
        Webhook(word).verify(text + " ", headers)
    except WebhookVerificationError:
        return True
    return False


def _is_refused(address: str) -> bool:
    try:
        Egress(resolve=lambda host, port: [address], loopback=False).check_url("https://logs.example/")
    except Refused:
        return True
    return False
