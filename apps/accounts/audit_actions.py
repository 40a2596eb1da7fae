"""What this room writes into the audit log."""

from django.utils.translation import gettext_lazy as _

from apps.audit.catalogue import Act
from apps.tenants.logged import Fact, Has, Logged, Seen, Settled

ACTIONS = {
    "person.made_super_admin": Act(
        _("Made a Super Admin"), _("An operator let a person look across all tenants."), ("person",)
    ),
    "person.unmade_super_admin": Act(
        _("Took a Super Admin's powers away"), _("A person looks across tenants no more."), ("person",)
    ),
    "session.opened": Act(
        _("Signed in"), _("A person opened a session in a browser."), ("amr",), sentence=_("{who} signed in")
    ),
    "session.closed": Act(_("Signed out"), _("A person closed their session."), sentence=_("{who} signed out")),
    "session.ended": Act(_("Ended sessions"), _("Sessions of a person in other browsers were ended."), ("count",)),
    "session.refused": Act(
        _("Sign-in refused"),
        _("A password was refused. The address tried is kept as an id that only our key gives."),
        ("account",),
    ),
    "password.refused": Act(
        _("Wrong password"),
        _("Somebody tried to sign in as this person, and the password was wrong. It is told some moments later."),
        sentence=_("Somebody tried a wrong password for {about}"),
    ),
    "sign_up.asked": Act(
        _("Asked to sign up"),
        _("Somebody asked for a link to sign up. The address is kept as an id that only our key gives."),
        ("account",),
    ),
    "password.reset_asked": Act(_("Asked for a password reset"), _("Somebody asked for a link to set a new password.")),
    "address.asked": Act(
        _("Asked for another e-mail address"), _("A link was promised to the new address; nothing has changed yet.")
    ),
    "address.changed": Act(
        _("Changed the e-mail address"),
        _(
            "The person opened the link at the new address; what was open elsewhere has ended. Addresses are not kept;"
            " the platform's log keeps the ids of the one before that only our key gives."
        ),
        ("accounts",),
    ),
    "password.changed": Act(
        _("Changed the password"), _("The password is another one now, and what the old one had opened has ended.")
    ),
    "token.issued": Act(_("Issued an access token"), _("An API client signed in and got its first pair of tokens.")),
    "token.reused": Act(
        _("A used refresh token came back; its family is revoked"),
        _("Somebody holds a copy of a refresh token; all its tokens have ended."),
    ),
    "token.revoked": Act(
        _("Revoked a refresh token"), _("A refresh token and the access tokens made with it have ended.")
    ),
    "api_key.created": Act(
        _("Made an API key"), _("A key that acts for its member within its scopes."), ("scopes", "days", "for")
    ),
    "api_key.revoked": Act(_("Ended an API key"), _("The key opens nothing any more.")),
    "service_account.created": Act(
        _("Made a service account"), _("A program has an account of its own, without a person."), ("role",)
    ),
    "service_account.changed": Act(
        _("Changed a service account"), _("A service account has another role."), ("role", "before")
    ),
    "service_account.switched": Act(
        _("Switched a service account off or on"), _("Off ends its keys at once; on brings none back."), ("on",)
    ),
    "limit.passed": Act(
        _("Refused further tries"),
        _(
            "Too many tries in a time; further ones are refused. What was tried is kept as an id that only our key gives."
        ),
        ("limit", "subject", "account"),
    ),
    "signing_key.rotated": Act(
        _("Changed the key that signs access tokens"),
        _("New access tokens are signed with another key."),
        ("kid", "at_once"),
    ),
    "tenant.created": Act(_("Created the tenant"), _("The organisation was made.")),
    "tenant.suspended": Act(
        _("Suspended the tenant"),
        _("The operator lets nobody in any more; nothing was deleted. Owners have the reason by mail."),
        ("reason_sha256",),
    ),
    "tenant.resumed": Act(_("Opened the tenant again"), _("Its members get in again."), ("reason_sha256",)),
    "member.added": Act(
        _("Added a member"),
        _("A person belongs to the organisation now."),
        ("role",),
        sentence=_("{who} added {about} as {role}"),
    ),
    "member.changed": Act(
        _("Changed a member"),
        _("A member has another role."),
        ("role", "before"),
        sentence=_("{who} changed the role of {about} from {before} to {role}"),
    ),
    "member.deactivated": Act(
        _("Shut a member out"),
        _("The person can no longer enter; their keys and tokens have ended."),
        ("handed_over", "kept_keys"),
    ),
    "member.reactivated": Act(_("Let a member in again"), _("The person can enter again."), ("role",)),
    "invitation.sent": Act(_("Invited a person"), _("A link to join was mailed."), ("role", "teams", "again")),
    "invitation.withdrawn": Act(_("Withdrew an invitation"), _("The link opens nothing any more.")),
    "invitation.accepted": Act(_("Accepted an invitation"), _("The invited person joined.")),
    "tenant.changed": Act(
        _("Changed the tenant's settings"),
        _("Name or time zone of the organisation changed."),
        ("name", "timezone", "before"),
    ),
    "support.entered": Act(
        _("A Super Admin entered this tenant"),
        _("A support visit began; what is done in it names the visitor beside the member."),
        ("visitor", "acting_for", "minutes"),
    ),
    "support.left": Act(_("A Super Admin left this tenant"), _("A support visit ended before its time."), ("visitor",)),
    "factor.added": Act(_("Set up a second factor"), _("Signing in asks for it from now on."), ("kind",)),
    "factor.removed": Act(_("Gave up a second factor"), _("Signing in asks for it no more."), ("kind",)),
    "factor.refused": Act(
        _("Second factor refused"),
        _("After the right password came a wrong or used code, or a wrong passkey."),
        ("kind",),
    ),
    "factor.codes_made": Act(_("Made new recovery codes"), _("The old recovery codes open nothing any more.")),
    "factor.required": Act(
        _("Changed whether a second factor is required"),
        _("Members must have a second factor from a moment on, or need none."),
        ("from", "from_before"),
    ),
    "sso.connected": Act(
        _("Added an identity provider"),
        _("People can come by this provider."),
        ("kind", "issuer_sha256", "client_sha256", "default_role", "factor_trust"),
    ),
    "sso.changed": Act(
        _("Changed an identity provider"),
        _("What the provider is asked, or how, is other than before."),
        ("kind", "issuer_sha256", "client_sha256", "default_role", "factor_trust", "new_secret", "before"),
    ),
    "sso.removed": Act(_("Removed an identity provider"), _("Nobody comes by this provider any more.")),
    "sso.domain_added": Act(_("Named a mail domain"), _("A domain waits for its proof."), ("domain",)),
    "sso.domain_verified": Act(
        _("Proved a mail domain by its DNS"), _("The DNS holds the record that we asked for."), ("domain",)
    ),
    "sso.domain_lost": Act(
        _("A proven mail domain's DNS record is gone"),
        _("The domain counts no more until its record is back."),
        ("domain",),
    ),
    "sso.domain_missing": Act(
        _("A proven mail domain's DNS record was not found"),
        _("So many looks in a row did not find it; what the tenant demands of the domain's addresses goes on."),
        ("domain", "misses"),
    ),
    "sso.domain_removed": Act(_("Removed a mail domain"), _("The domain counts no more."), ("domain",)),
    "sso.only": Act(
        _("Changed who must come by the provider"),
        _("Whether passwords still open this tenant changed."),
        ("on", "break_glass", "before"),
    ),
    "sso.joined": Act(
        _("Joined by the identity provider"), _("A person of a proven domain became a member by signing in."), ("role",)
    ),
    "sso.linked": Act(
        _("Linked a member to their account at the provider"),
        _("The provider's account is this member's from now on."),
        ("subject_sha256",),
    ),
    "sso.unlinked": Act(
        _("Unlinked a member from the provider"),
        _("The provider's account opens nothing here any more."),
        ("subject_sha256",),
    ),
    "sso.refused": Act(
        _("Refused a sign-in by the provider"), _("The provider's answer was not accepted."), ("reason", "account")
    ),
    "sso.passed_by": Act(
        _("Signed in past the provider, as an owner kept for emergencies"),
        _("Only the provider is the rule here, and an owner came in without it."),
        ("amr",),
    ),
    "team.created": Act(_("Created a team"), _("A team of members was made."), ("slug",)),
    "team.changed": Act(
        _("Changed a team"),
        _("A team was renamed, or a member joined or left it."),
        ("name", "before", "joined", "left"),
    ),
}

# What reconciliation expects of the rows of this room.
LOGGED = (
    Logged("accounts.Member", ("member.added", "service_account.created"), "member"),
    Logged("accounts.Team", ("team.created",), "team"),
    Logged("accounts.TeamMember", ("team.changed",), "team", "team_id", {"joined": "member_id"}),
    Logged("accounts.Invitation", ("invitation.sent",), "invitation"),
    Logged("accounts.ApiKey", ("api_key.created",), "api_key"),
    Logged("accounts.SsoConnection", ("sso.connected",), "sso_connection"),
    Logged("accounts.SsoDomain", ("sso.domain_added",), "sso_domain", "id", {"domain": "domain"}),
    Logged("accounts.SsoIdentity", ("sso.linked",), "sso_identity"),
    Logged("accounts.SupportVisit", ("support.entered",), "support_visit", "id", {"visitor": "visitor_id"}),
)

# What the newest entry about a row leaves behind.
SETTLED = (
    Settled(
        "accounts.Member.role",
        "member",
        dict.fromkeys(("member.added", "member.changed", "service_account.created", "service_account.changed"), Fact("role")),
        "role",
    ),
    Settled(
        "accounts.Member.is_active",
        "member",
        {
            "member.added": "true",
            "member.deactivated": "false",
            "member.reactivated": "true",
            "service_account.created": "true",
            "service_account.switched": Fact("on"),
        },
        "is_active",
    ),
    Settled(
        "accounts.TeamMember.seat", "team", {"team.changed": Has("joined")},
        id_column="team_id", pair=("joined", "left"), pair_column="member_id",
    ),
    Settled("accounts.Invitation.role", "invitation", {"invitation.sent": Fact("role")}, "role"),
    Settled("accounts.ApiKey.scopes", "api_key", {"api_key.created": Fact("scopes")}, "scopes"),
    Settled("accounts.ApiKey.member", "api_key", {"api_key.created": Fact("for")}, "member_id"),
    Settled(
        "accounts.ApiKey.revoked", "api_key", {"api_key.created": "false", "api_key.revoked": "true"},
        "revoked_at", Seen.IS_SET,
    ),
    Settled(
        "accounts.SsoConnection.issuer", "sso_connection",
        dict.fromkeys(("sso.connected", "sso.changed"), Fact("issuer_sha256")), "issuer", Seen.SHA256,
    ),
    Settled(
        "accounts.SsoConnection.factor_trust", "sso_connection",
        dict.fromkeys(("sso.connected", "sso.changed"), Fact("factor_trust")), "factor_trust",
    ),
    Settled(
        "accounts.SsoConnection.removed", "sso_connection", {"sso.connected": "false", "sso.removed": "true"},
        "removed_at", Seen.IS_SET,
    ),
    Settled(
        "accounts.SsoDomain.verified", "sso_domain",
        {"sso.domain_added": "false", "sso.domain_verified": "true", "sso.domain_lost": "false"},
        "verified_at", Seen.IS_SET,
    ),
    Settled(
        "accounts.SsoIdentity.subject", "sso_identity", {"sso.linked": Fact("subject_sha256")}, "subject", Seen.SHA256,
    ),
    Settled("accounts.SsoIdentity.link", "sso_identity", {"sso.linked": "true", "sso.unlinked": "false"}),
    Settled(
        "accounts.SupportVisit.closed", "support_visit", {"support.entered": "false", "support.left": "true"},
        "closed_at", Seen.IS_SET,
    ),
    Settled("tenants.Tenant.sso_only", "tenant", {"sso.only": Fact("on")}, "is_sso_only"),
    Settled("tenants.Tenant.factor", "tenant", {"factor.required": Has("from")}, "factor_required_from", Seen.IS_SET),
    Settled(
        "tenants.Tenant.is_active", "tenant",
        {"tenant.created": "true", "tenant.suspended": "false", "tenant.resumed": "true"}, "is_active",
    ),
)  # fmt: skip
