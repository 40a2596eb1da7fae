"""What is not built yet, in plain words: key, title, sentence. A sentence moves to the live list with code, tests and a probe."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.tenants.refusals import Text

NOT_BUILT: tuple[tuple[str, Text, Text], ...] = (
    (
        "backup_encryption",
        _("Encrypted backups"),
        _("Backups hold everything in clear; whoever reads their folder reads everything."),
    ),
    (
        "key_backup",
        _("Backup of keys"),
        _(
            "A backup holds database and files, and no key: secrets, signing keys and the anchors beside them are the "
            "operator's to keep. Without them a restored installation opens no stored secret, and its logs go on only under a new key."
        ),
    ),
    (
        "continuous_backup",
        _("Backups by themselves, to the minute"),
        _(
            "scripts/up takes none; a timer in deploy/systemd/ does, each night. What came since the last one is lost with the "
            "database."
        ),
    ),
    (
        "rate_limits",
        _("Limits on requests behind sign-in"),
        _(
            "Tries at sign-in, signing up, invitations and public forms are counted; how often somebody who is signed in, or a "
            "key, asks for anything else is not. A proxy can do it."
        ),
    ),
    (
        "encryption_at_rest",
        _("Encryption of answers and files at rest"),
        _(
            "Second factors, webhook secrets and other keys are stored encrypted; answers, files, mails and the audit log lie "
            "in clear in the database and on the disk. Encrypting the disks is the operator's."
        ),
    ),
    (
        "deletion",
        _("Deleting a tenant, a person or what was sent"),
        _(
            "Drafts and forms that were never published can be deleted, and a person's addresses erased from the log. A sent "
            "submission, a published form, an account and a whole tenant cannot; they can be closed or shut out."
        ),
    ),
    (
        "distant_anchor",
        _("An anchor elsewhere by itself"),
        _(
            "Unless the operator names another place, the signed heads of the logs are kept on the same machine, and whoever "
            "owns it can rewrite both; what reaches owners by mail or webhook is elsewhere."
        ),
    ),
    (
        "log_streaming",
        _("Other formats of the log's streams"),
        _("Streams carry CloudEvents with entries as they are; OCSF, CEF and syslog are not built."),
    ),
    (
        "log_retention",
        _("Retention set by a tenant"),
        _("How long bodies of audit entries are kept is a number of the plan; no page sets it, and a tenant cannot."),
    ),
    (
        "saml_scim",
        _("SAML and SCIM"),
        _("Single sign-on is OpenID Connect alone; members are not provisioned or removed by an identity provider."),
    ),
    (
        "passwordless",
        _("Sign-in without a password"),
        _("A passkey is a second factor after the password; it does not stand for it."),
    ),
    (
        "malware",
        _("Malware scanning"),
        _("Files are given out as inert downloads, and nobody scans them for malware."),
    ),
)
