"""The addresses at which webhooks come in: no session, no token; the signature over the raw bytes is the credential."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.tenants.refusals import Problem, TooLarge

from . import actions
from .verifying import Forged, Message, of_stripe, standard


class NotVerified(Problem):
    """What came cannot be shown to be genuine; why is told to those who watch, not to the sender."""

    status, code, title = 400, "webhook_not_verified", _("This webhook is not verified")


@csrf_exempt
@require_POST
def comms(request: HttpRequest, channel: str) -> HttpResponse:
    """An event of a mail or message provider, signed as Standard Webhooks says."""
    secrets = settings.COMMS_WEBHOOK_SECRETS.get(channel, [])
    source = f"comms:{channel}" if secrets else "comms"
    return _take(request, source, lambda raw: standard(raw, dict(request.headers), secrets))


@csrf_exempt
@require_POST
def stripe(request: HttpRequest) -> HttpResponse:
    """An event of Stripe."""
    given = request.headers.get("Stripe-Signature", "")
    return _take(request, "stripe", lambda raw: of_stripe(raw, given, settings.STRIPE_WEBHOOK_SECRETS))


def _take(request: HttpRequest, source: str, verify: Callable[[bytes], Message]) -> HttpResponse:
    """202 once the event is kept, and the same for one that was kept before. Raises NotVerified, TooLarge."""
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not length.isdigit() or int(length) > settings.WEBHOOK_MAX_BYTES:
        raise TooLarge(_("A webhook may have %(n)s bytes.") % {"n": settings.WEBHOOK_MAX_BYTES})
    raw = request.body
    try:
        message = verify(raw)
    except Forged as forged:
        actions.refuse_forged(source, forged.fault)
        raise NotVerified(_("The signature or the time of this webhook does not hold.")) from None
    return JsonResponse({"received": True, "first": actions.receive(source, message, raw)}, status=202)


urlpatterns = [
    path("webhooks/comms/<slug:channel>", comms, name="webhook_comms"),
    path("webhooks/stripe", stripe, name="webhook_stripe"),
]
