"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "ai.granted": _("Gave the tenant AI, or took it"),
    "ai.switched": _("Switched AI on or off"),
    "ai.provider_switched": _("Switched a model provider on or off"),
    "ai.budget_reached": _("A part of the AI budget is used"),
    "ai.summary_asked": _("Asked for an AI summary"),
    "ai.summary_written": _("An AI summary was written"),
    "ai.summary_failed": _("An AI summary was not written"),
    "ai.summary_answered": _("Said what became of an AI summary"),
}
