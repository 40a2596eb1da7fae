"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

from apps.audit.catalogue import Act
from apps.tenants.logged import Fact, Logged, Settled

ACTIONS = {
    "form.created": Act(
        _("Created a form"), _("A draft was made."), ("slug", "filling"), sentence=_("{who} created the form {about}")
    ),
    "form.changed": Act(
        _("Changed the draft of a form"),
        _("The draft changed; the hash is that of its content."),
        ("fields", "sha256_before", "sha256"),
    ),
    "form.deleted": Act(_("Deleted a form that was never published"), _("A form that was never published is gone.")),
    "draft.deleted": Act(_("Deleted a draft"), _("A draft and its files are gone."), ("files",)),
    "export.asked": Act(
        _("Asked for an export of the tenant's data"), _("A job will write all data of the tenant into a ZIP.")
    ),
    "export.made": Act(
        _("Made an export of the tenant's data"), _("The ZIP is ready, by its hash."), ("bytes", "sha256")
    ),
    "export.downloaded": Act(_("Downloaded an export of the tenant's data"), _("The ZIP was given out."), ("sha256",)),
    "export.dropped": Act(_("Deleted an export whose time was over"), _("The ZIP's time is over and it is deleted.")),
    "form.published": Act(
        _("Published a form"),
        _("A frozen version, with the path that it goes through."),
        ("version", "sha256", "path_sha256"),
    ),
    "access.granted": Act(
        _("Granted access to a form"),
        _("A person, a team or a role may do more with the form."),
        ("principal_type", "principal", "role"),
    ),
    "access.taken": Act(
        _("Took ownership of a form that had no owner"),
        _("An owner of the organisation became owner of a form that had none."),
    ),
    "access.revoked": Act(
        _("Revoked access to a form"),
        _("A person, a team or a role may do less with the form."),
        ("principal_type", "principal", "role"),
    ),
    "filling.changed": Act(
        _("Changed who may fill a form"), _("Who may fill the form is another circle now."), ("filling", "before")
    ),
    "draft.started": Act(
        _("Started to fill a form"), _("A person began to fill a version of the form."), ("form", "version")
    ),
    "submission.sent": Act(
        _("Sent a submission"),
        _("A revision was sent; the hash is that of its content."),
        ("revision", "sha256"),
        sentence=_("{who} sent {about}"),
    ),
    "receipt.given": Act(
        _("Gave a private link to whoever sent it from outside"),
        _("Somebody outside holds a link to what they sent."),
        ("mailed",),
    ),
    "attachment.added": Act(_("Attached a file"), _("A file was stored, by its hash."), ("field", "sha256", "bytes")),
    "attachment.removed": Act(_("Removed a file from a draft"), _("A file is no longer part of a draft."), ("field",)),
    "attachment.downloaded": Act(
        _("Downloaded a file"),
        _("A file was given out."),
        ("sha256",),
        sentence=_("{who} downloaded a file of {about}"),
    ),
    "attachment.corrupt": Act(
        _("Refused a file whose content has changed"),
        _("A file's bytes are not those of its hash; it was not given out."),
    ),
}

# What reconciliation expects of the rows of this room.
LOGGED = (
    Logged("forms.Form", ("form.created",), "form"),
    Logged("forms.FormVersion", ("form.published",), "form_version", "id", {"version": "number", "sha256": "sha256"}),
    Logged("forms.Grant", ("access.granted",), "grant", "id", {"role": "role"}),
    Logged("forms.Submission", ("draft.started", "submission.sent"), "submission"),
    Logged("forms.Revision", ("submission.sent",), "revision", "id", {"revision": "number", "sha256": "sha256"}),
    Logged("forms.Attachment", ("attachment.added",), "attachment", "id", {"sha256": "sha256", "bytes": "size"}),
    Logged("forms.Receipt", ("receipt.given",), "receipt"),
    Logged("forms.Export", ("export.asked",), "export"),
)

# What the newest entry about a row leaves behind.
SETTLED = (
    Settled("forms.Grant.stands", "grant", {"access.granted": "true", "access.revoked": "false"}),
    Settled(
        "forms.Form.filling", "form", dict.fromkeys(("form.created", "filling.changed"), Fact("filling")), "filling"
    ),
)
