"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

from apps.audit.catalogue import Act
from apps.tenants.logged import Logged

ACTIONS = {
    "ai.granted": Act(
        _("Gave the tenant AI, or took it"),
        _("The operator allowed AI for the tenant, or took it away."),
        ("before", "after"),
    ),
    "ai.switched": Act(
        _("Switched AI on or off"),
        _("AI was switched on or off here, or its monthly cap changed."),
        ("before", "after", "cap", "cap_before"),
    ),
    "ai.provider_switched": Act(
        _("Switched a model provider on or off"),
        _("A model provider may be used, or may not, in the whole installation."),
        ("host", "on"),
    ),
    "ai.budget_reached": Act(
        _("A part of the AI budget is used"), _("A part of the month's budget is used."), ("percent", "month", "limit")
    ),
    "ai.called": Act(
        _("Called the model"),
        _(
            "One attempt at the model as the AI ledger has it, or one that the month's budget refused; never what was said."
        ),
        (
            "feature",
            "requested_model",
            "attempt",
            "price_version",
            "template_version",
            "prompt_sha256",
            "for",
            "requested",
            "result",
            "usage_source",
            "input_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reserved",
            "settled",
            "excess",
        ),
    ),
    "ai.summary_asked": Act(
        _("Asked for an AI summary"),
        _("A summary of a submission was asked for; the hash is that of what will be sent."),
        ("summary", "sha256"),
    ),
    "ai.summary_written": Act(
        _("An AI summary was written"),
        _("The model answered; “settled” is what it cost, in millionths."),
        ("summary", "sha256", "event", "settled"),
    ),
    "ai.summary_failed": Act(
        _("An AI summary was not written"), _("The model did not answer in a usable way."), ("summary", "failure")
    ),
    "ai.summary_answered": Act(
        _("Said what became of an AI summary"), _("A person said whether the summary was of use."), ("summary", "said")
    ),
}

# What reconciliation expects of the rows of this room.
LOGGED = (
    Logged("ai.UsageEvent", ("ai.called",), "ai_event", "id", {"settled": "settled", "result": "outcome"}),
    Logged("ai.Summary", ("ai.summary_asked",), "submission", "submission_id", {"summary": "id", "sha256": "sha256"}),
    Logged("ai.Reaction", ("ai.summary_answered",), "submission", "", {"summary": "summary_id", "said": "said"}),
)
