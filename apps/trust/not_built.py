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
