"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

ACTIONS = {
    "session.opened": _("Signed in"),
    "session.closed": _("Signed out"),
    "session.ended": _("Ended sessions"),
    "session.refused": _("Sign-in refused"),
    "password.reset_asked": _("Asked for a password reset"),
    "password.changed": _("Changed the password"),
    "token.issued": _("Issued an access token"),
    "token.refused": _("Refused to issue a token"),
    "token.reused": _("A used refresh token came back; its family is revoked"),
    "token.revoked": _("Revoked a refresh token"),
    "api_key.created": _("Made an API key"),
    "api_key.revoked": _("Ended an API key"),
    "limit.passed": _("Refused further tries"),
    "signing_key.rotated": _("Changed the key that signs access tokens"),
    "tenant.created": _("Created the tenant"),
    "member.added": _("Added a member"),
    "member.changed": _("Changed a member"),
    "member.deactivated": _("Shut a member out"),
    "member.reactivated": _("Let a member in again"),
    "invitation.sent": _("Invited a person"),
    "invitation.withdrawn": _("Withdrew an invitation"),
    "invitation.accepted": _("Accepted an invitation"),
    "tenant.changed": _("Changed the tenant's settings"),
    "support.entered": _("A Super Admin entered this tenant"),
    "support.left": _("A Super Admin left this tenant"),
    "team.created": _("Created a team"),
    "team.changed": _("Changed a team"),
}
