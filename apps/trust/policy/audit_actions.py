"""What the policy's candidates write into the platform's log."""

from django.utils.translation import gettext_lazy as _

from apps.audit.catalogue import Act

ACTIONS = {
    "policy.candidate_started": Act(
        _("Began to try a security policy"),
        _("Pages carry it report-only beside the policy in force."),
        ("candidate", "policy"),
    ),
    "policy.candidate_ended": Act(
        _("Ended the trial of a security policy"), _("No page carries the candidate any more."), ("candidate",)
    ),
}
