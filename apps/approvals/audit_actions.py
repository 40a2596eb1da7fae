"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "task.reassigned": _("Asked somebody else instead"),
    "path.published": _("Published an approval path"),
    "case.opened": _("Sent for approval"),
    "case.resubmitted": _("Sent again after correction"),
    "case.approved": _("Approved in the end"),
    "case.rejected": _("Rejected in the end"),
    "case.withdrawn": _("Withdrew from approval"),
    "case.sent_back": _("Sent back for changes"),
    "case.stuck": _("The path cannot go on"),
    "step.opened": _("Opened a step"),
    "step.skipped": _("Skipped a step, its condition did not hold"),
    "step.approved": _("Approved a step"),
    "step.rejected": _("Rejected a step"),
    "submission.decided": _("Decided"),
}
