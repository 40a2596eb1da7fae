"""The events that a webhook can ask for. What they carry is thin: ids, states and references; the rest is for the API."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.tenants.refusals import Text

EVENTS: dict[str, Text] = {
    "submission.sent": _("A submission was sent, or sent again after changes"),
    "submission.changes_requested": _("Changes were asked for"),
    "submission.approved": _("A submission was approved in the end"),
    "submission.rejected": _("A submission was rejected in the end"),
    "submission.withdrawn": _("A submission was taken back"),
    "decision.made": _("Somebody decided on a step"),
    "delegation.created": _("A member may decide in another's place"),
    "delegation.ended": _("That ended, before its time or with it"),
    "audit.checkpoint": _("The signed head of the audit log, once a day"),
}
TEST_EVENT = "webhook.test"
