"""What the policy's candidates write into the platform's log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "policy.candidate_started": _("Began to try a security policy"),
    "policy.candidate_ended": _("Ended the trial of a security policy"),
}
