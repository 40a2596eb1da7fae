"""What is stored of a tenant, kind by kind, in this room and those below; higher ones add theirs to `slots.stored`.

A test compares the tables named here with those of the database: none is left out.
"""

from __future__ import annotations

from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.audit.models import Entry
from apps.billing.retention import retention_days
from apps.comms.models.webhooks import KEPT
from apps.tenants.slots import Stored

from .models import Attachment, Submission

FOREVER = gettext_lazy("as long as the tenant; Orkestra can neither change nor delete it")
AS_THE_TENANT = gettext_lazy("as long as the tenant")


def _log_stays() -> str:
    days = retention_days()
    if days is None:
        return str(FOREVER)
    return _("%(n)s days as the plan says, then their bodies go; the chain and what proves it stay") % {"n": days}


def _private_stays() -> str:
    days = retention_days()
    if days is None:
        return _(
            "until an owner erases a member's, or the operator those of an e-mail address; of whoever sends a public form "
            "and leaves no address, as long as the tenant"
        )
    return _(
        "%(n)s days as the plan says, or until they are erased; of whoever sends a public form and leaves no address, only "
        "the days count"
    ) % {"n": days}


KINDS = (
    Stored(
        "members",
        gettext_lazy("Members"),
        ("accounts_member",),
        gettext_lazy("shut out, never deleted: the log and decisions name them"),
    ),
    Stored(
        "invitations",
        gettext_lazy("Invitations, with their address"),
        ("accounts_invitation",),
        gettext_lazy("as long as the tenant, ended ones too"),
    ),
    Stored("teams", gettext_lazy("Teams"), ("accounts_team", "accounts_teammember"), AS_THE_TENANT),
    Stored(
        "api_keys",
        gettext_lazy("API keys, each as a hash"),
        ("accounts_apikey",),
        gettext_lazy("as long as the tenant, ended ones too, with the address of their last use"),
    ),
    Stored(
        "identities",
        gettext_lazy("Members' identities at your provider"),
        ("accounts_ssoidentity", "accounts_ssoconnection", "accounts_ssodomain"),
        gettext_lazy("until unlinked; a removed provider stays, and opens nothing"),
    ),
    Stored("visits", gettext_lazy("Support visits"), ("accounts_supportvisit",), AS_THE_TENANT),
    Stored(
        "forms",
        gettext_lazy("Forms"),
        ("forms_form", "forms_grant", "approvals_path"),
        gettext_lazy("until deleted, while never published; then as long as the tenant"),
    ),
    Stored("versions", gettext_lazy("Published versions"), ("forms_formversion", "approvals_pathversion"), FOREVER),
    Stored(
        "drafts",
        gettext_lazy("Drafts"),
        ("forms_submission",),
        gettext_lazy("until sent, or deleted by whoever fills it"),
        count=lambda: Submission.objects.in_state(Submission.DRAFT).count(),
    ),
    Stored(
        "submissions",
        gettext_lazy("Submissions"),
        ("forms_submission", "forms_receipt", "forms_referencecounter"),
        AS_THE_TENANT,
        count=lambda: Submission.objects.filter(case__isnull=False).count(),
    ),
    Stored("revisions", gettext_lazy("Revisions"), ("forms_revision",), FOREVER),
    Stored(
        "decisions",
        gettext_lazy("Decisions"),
        ("approvals_decision", "approvals_case", "approvals_casestep", "approvals_assignment"),
        FOREVER,
    ),
    Stored("stand_ins", gettext_lazy("Stand-ins"), ("approvals_delegation",), AS_THE_TENANT),
    Stored(
        "files",
        gettext_lazy("Files"),
        ("forms_attachment",),
        gettext_lazy("as their submission; the bytes of a removed one for a day or two more"),
        size=lambda: Attachment.objects.aggregate(size=Sum("size"))["size"] or 0,
    ),
    Stored(
        "exports",
        gettext_lazy("Exports asked for"),
        ("forms_export",),
        gettext_lazy("that it was made, as long as the tenant; its file for a week"),
    ),
    Stored(
        "mails",
        gettext_lazy("Mails, with address and text"),
        ("comms_outboxmessage",),
        gettext_lazy("as long as the tenant; those sent are not deleted"),
    ),
    Stored(
        "webhooks",
        gettext_lazy("Webhook addresses"),
        ("comms_webhookendpoint", "comms_webhooksecret"),
        gettext_lazy("until removed; secrets are stored encrypted"),
    ),
    Stored(
        "webhook_events",
        gettext_lazy("Webhook messages, with what they told"),
        ("comms_webhookevent", "comms_webhookdelivery", "comms_webhookattempt"),
        lambda: _("%(n)s days, and while one still waits") % {"n": KEPT.days},
    ),
    Stored(
        "entries",
        gettext_lazy("Audit entries"),
        (
            "audit_entry", "audit_seal", "audit_word", "audit_treenode", "audit_checkpoint", "audit_receipt",
            "audit_waiting", "audit_verified", "audit_reconciled",
        ),
        _log_stays,
        count=lambda: Entry.objects.kept().count(),
    ),
    Stored(
        "private_values",
        gettext_lazy("Addresses and browsers of people, in the log"),
        ("audit_privatevalue",),
        _private_stays,
    ),
    Stored("saved_views", gettext_lazy("Saved views of the log"), ("audit_savedview",), gettext_lazy("until deleted")),
    Stored(
        "log_exports",
        gettext_lazy("Exports of the log asked for"),
        ("audit_logexport",),
        gettext_lazy("that it was made, as long as the tenant; its file for a week at most"),
    ),
)  # fmt: skip
