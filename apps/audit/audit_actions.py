"""What the log says of the wall and of itself."""

from django.utils.translation import gettext_lazy as _

from apps.tenants.logged import Logged

from .catalogue import Act

ACTIONS = {
    "context.forged": Act(
        _("Tried to get around the signature of the tenant"),
        _("The database refused a statement whose tenant or person was not signed by us, or that asked for the keys."),
        ("reason", "role", "tenant", "user", "request_id"),
    ),
    "job.forged": Act(
        _("Tried to have a job run without its signature"),
        _(
            "The queue held a job that was not signed by us, or not for this tenant and these arguments; it was not run."
        ),
        ("task", "reason", "tenant"),
    ),
    "audit.exported": Act(
        _("Exported the audit log"),
        _("Somebody took a copy of the log or of what these filters name, with its proofs; typed words stand as true."),
        ("filters", "whole", "format", "private"),
    ),
    "log_export.asked": Act(
        _("Asked for an export of the audit log"),
        _("A job will write what these filters name into a file; typed words stand as true."),
        ("filters", "format", "private"),
    ),
    "log_export.made": Act(
        _("Made an export of the audit log"), _("The file is ready, by its hash."), ("bytes", "sha256", "entries")
    ),
    "log_export.downloaded": Act(_("Downloaded an export of the audit log"), _("The file was given out."), ("sha256",)),
    "log_export.dropped": Act(
        _("Deleted an export of the audit log whose time was over"), _("The file's time is over and it is deleted.")
    ),
    "audit.pruned": Act(
        _("Pruned the audit log as the plan's retention says"),
        _(
            "Bodies and private values of the entries before this place are gone; their seals stay, and so does the proof."
        ),
        ("until", "entries", "days"),
    ),
    "audit.unlogged": Act(
        _("Found something that was done without an entry"),
        _("Stored rows and entries do not agree: each kind of row with how many, and the first of them."),
        ("missing", "kinds"),
    ),
    "privacy.erased": Act(
        _("Erased a person's addresses and browsers"),
        _("Salts and values behind this person's entries are gone; the entries and their proofs stand as before."),
        ("values", "person", "account"),
    ),
    "audit.viewed": Act(
        _("Looked at the audit log"),
        _("Somebody read entries. The same look by the same person within a minute is one entry."),
        ("look", "filters", "door"),
        sentence=_("{who} looked at the audit log"),
    ),
    "log.key_rotated": Act(
        _("Changed the key that signs the log"),
        _("The old key signs the bytes of the new one, so that the hand-over itself can be verified."),
        ("new", "old", "new_key", "old_key", "signed_by_old"),
    ),
    "log.key_lost": Act(
        _("Went on without a key that was lost"),
        _("What it signed last fitted its public half; from here another key signs."),
        ("new", "old"),
    ),
    "log.key_retired": Act(
        _("Retired an older key of the log"),
        _("Nothing is signed with it any more; what it signed still verifies."),
        ("new", "old", "new_key", "old_key", "signed_by_old"),
    ),
    "log.origin_opened": Act(
        _("Began the log under a new name after a restore"),
        _("A backup lacked entries that were signed; the range that is lost is named."),
        ("incarnation", "before", "anchored", "lost_from", "lost_to", "root", "logs", "own_from", "own_to", "gone"),
    ),
    "log.lost": Act(
        _("Lost the whole log of a tenant in a restore"),
        _(
            "A tenant came after the backup: it is in the database no more, and anchors outside hold how far its log was signed."
        ),
        ("incarnation", "lost_from", "lost_to"),
    ),
}

# What reconciliation expects of the rows of this room.
LOGGED = (Logged("audit.LogExport", ("log_export.asked",), "log_export", "id", {"format": "format"}),)
