"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "form.created": _("Created a form"),
    "form.changed": _("Changed the draft of a form"),
    "form.deleted": _("Deleted a form that was never published"),
    "draft.deleted": _("Deleted a draft"),
    "export.asked": _("Asked for an export of the tenant's data"),
    "export.made": _("Made an export of the tenant's data"),
    "export.downloaded": _("Downloaded an export of the tenant's data"),
    "export.dropped": _("Deleted an export whose time was over"),
    "form.published": _("Published a form"),
    "access.granted": _("Granted access to a form"),
    "access.taken": _("Took ownership of a form that had no owner"),
    "access.revoked": _("Revoked access to a form"),
    "filling.changed": _("Changed who may fill a form"),
    "draft.started": _("Started to fill a form"),
    "submission.sent": _("Sent a submission"),
    "receipt.given": _("Gave a private link to whoever sent it from outside"),
    "attachment.added": _("Attached a file"),
    "attachment.removed": _("Removed a file from a draft"),
    "attachment.downloaded": _("Downloaded a file"),
    "attachment.corrupt": _("Refused a file whose content has changed"),
}
