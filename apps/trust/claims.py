"""Every sentence of the Security page, in one register.

A claim is live only with code, tests and a probe that is run on the installation which shows it; a test holds that.
Whatever lacks one of these stands under "not built yet", with what is there said plainly.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from .claim import Claim
from .claims_of_access import ACCESS
from .claims_of_the_wall import WALL
from .not_built import NOT_BUILT

CLAIMS: tuple[Claim, ...] = (
    *WALL,
    Claim(
        "audit_chain",
        _("Audit chain"),
        _(
            "Every act but the saving of a draft or of a view of the log, and the refresh of a token, is an entry in a hash "
            "chain per tenant, written in the transaction of the act, verified in the background and on demand."
        ),
        True,
        "audit.chain",
        ("apps/audit/actions.py", "apps/audit/chain.py", "apps/audit/verify.py"),
        ("tests/unit/test_audit.py",),
    ),
    Claim(
        "signed_log",
        _("Signed and anchored log"),
        _(
            "The head of every log is signed by a key that is not in the database, and kept outside the database; a changed "
            "sealed entry, a cut end or an old backup in force is found against it, and one file verifies an export without us."
        ),
        True,
        "audit.signed",
        ("apps/audit/checkpoints.py", "apps/operations/anchors.py", "scripts/orkestra_verify.py"),
        (
            "tests/attack/test_the_audit_log.py",
            "tests/attack/test_heads_by_another_key.py",
            "tests/faults/test_anchors.py",
            "tests/unit/test_the_verifier.py",
        ),
    ),
    Claim(
        "acts_logged",
        _("Nothing done without an entry"),
        _(
            "Every hour, what members, forms, submissions, decisions, files, keys and access store is compared with the log: "
            "a row put in or put back, a decision taken away, a verdict or a role turned around behind it is found and named. "
            "Answers, forms and paths are hashed anew, and addresses compared with what their entries commit to."
        ),
        True,
        "audit.reconciled",
        ("apps/audit/reconcile.py", "apps/audit/settled.py", "apps/forms/attested.py"),
        ("tests/attack/test_acts_never_logged.py", "tests/attack/test_rows_turned_round.py"),
    ),
    Claim(
        "log_streams",
        _("The log streamed to your own systems"),
        _(
            "A tenant streams its log to addresses of its own: signed, in the log's order, at least once and with nothing "
            "left out, for only a success moves a stream on. Addresses and browsers of people are not sent."
        ),
        True,
        "operations.streams",
        ("apps/operations/streams/sending.py", "apps/operations/streams/actions.py"),
        ("tests/faults/test_streams.py", "tests/faults/test_webhooks.py"),
    ),
    Claim(
        "append_only",
        _("Append-only log"),
        _(
            "The app's database role can add audit entries and can neither change, delete nor number them. Only where a "
            "plan limits retention, a database function takes bodies over thirty days old, as the log itself must say."
        ),
        True,
        "audit.append_only",
        ("apps/audit/models.py", "apps/tenants/catalogue.py", "apps/audit/pruning.py"),
        ("tests/unit/test_audit.py", "tests/attack/test_pruning.py"),
    ),
    Claim(
        "short_tokens",
        _("Short-lived signed tokens"),
        _(
            "Access tokens, Ed25519-signed, live five minutes; a refresh token works once, and reuse ends all that came of it."
        ),
        True,
        "trust.tokens",
        ("apps/accounts/tokens.py", "apps/accounts/signing_keys.py", "apps/accounts/actions/families.py"),
        ("tests/api/test_tokens.py", "tests/attack/test_tokens.py", "tests/attack/test_stolen_access.py"),
    ),
    Claim(
        "gateway",
        _("Gateway"),
        _(
            "One table says what each path asks for, and what no rule names gets no further. A few are open to anyone, one's "
            "own account asks for its person and the platform for a Super Admin; all others ask for a tenant claim that "
            "matches an active membership."
        ),
        True,
        "trust.doors",
        ("apps/accounts/doors.py", "apps/accounts/gateway.py"),
        ("tests/attack/test_the_doors.py",),
    ),
    Claim(
        "four_eyes",
        _("Nobody approves their own"),
        _(
            "Whoever is signed in and sends a submission is never asked to decide on it; who sends by a public form is not "
            "known, and what a service account sends may be decided by whoever has its key. A step without enough people stands still. A stand-in "
            "decides for a set time, never on what they sent or in a step that asks them too, and both names are kept."
        ),
        True,
        "trust.four_eyes",
        ("apps/approvals/actions/deciding.py", "apps/approvals/rules/standing_in.py"),
        ("tests/unit/test_approvals.py", "tests/api/test_standing_in.py"),
    ),
    Claim(
        "attachments",
        _("Private attachments"),
        _(
            "Files are stored by their SHA-256, checked again at each download, given out as inert downloads, and audited."
        ),
        True,
        "forms.private_files",
        ("apps/forms/store.py", "apps/forms/actions/files.py"),
        ("tests/api/test_attachments.py", "tests/api/test_each_word_of_the_log.py"),
    ),
    Claim(
        "headers",
        _("Security headers"),
        _(
            "Pages carry a strict Content Security Policy with nonces and Trusted Types; every answer of ours, static "
            "files and errors included, forbids framing, sniffing and reading by other sites. The Django admin's policy has neither nonces nor Trusted Types."
        ),
        True,
        "trust.headers",
        ("apps/accounts/headers.py", "orkestra/settings/security.py"),
        ("tests/attack/test_headers.py", "tests/attack/test_the_doors.py"),
    ),
    Claim(
        "csp_reports",
        _("Policy reports"),
        _(
            "What browsers report about our pages' policy is taken at an address signed for that policy and day, a little "
            "at a time, kept as route, directive and origin, and shown to Super Admins; a candidate policy can be tried "
            "report-only beside the one in force. It is put in force by hand."
        ),
        True,
        "trust.policy_reports",
        ("apps/trust/policy/views.py", "apps/trust/policy/address.py", "apps/trust/policy/middleware.py"),
        ("tests/api/test_policy_reports.py", "tests/browser/test_the_policy.py"),
    ),
    *ACCESS,
    Claim(
        "quotas",
        _("Quotas"),
        _(
            "Members, forms, monthly submissions and files are counted by the database at commit, whatever door is used; "
            "what would pass the plan's limit is undone and answered with 402."
        ),
        True,
        "billing.quotas",
        ("apps/billing/meters.py", "apps/billing/actions.py", "apps/tenants/limits.py"),
        ("tests/api/test_quotas.py",),
    ),
    Claim(
        "trial",
        _("Trial"),
        _(
            "After a trial nothing new is written; reading, taking out and deleting what can be deleted at all go on, and so "
            "does shutting out, taking back and stopping what leaves the house."
        ),
        True,
        "billing.trial",
        ("apps/billing/gate.py", "apps/billing/exempt.py"),
        ("tests/api/test_quotas.py",),
    ),
    Claim(
        "backup",
        _("Backup and restore"),
        _(
            "One command takes database and files with their hashes and the head of each audit log, by a role that can "
            "write nothing; restoring compares all of it before and after. Backups are not encrypted by us."
        ),
        True,
        "operations.backup",
        ("apps/operations/backup/make.py", "apps/operations/backup/restore.py"),
        ("tests/runtime/test_backup.py",),
    ),
    Claim(
        "mfa",
        _("Second factor"),
        _(
            "An authenticator app protects pages and API tokens alike: each code is good once, held by the database; "
            "secrets are stored encrypted and recovery codes as salted hashes. Giving up the last one ends what it had opened. "
            "A tenant may require a second factor of each member, and outside the demo no Super Admin gets in without showing one."
        ),
        True,
        "accounts.second_factor",
        ("apps/accounts/second_factor.py", "apps/accounts/gateway.py", "apps/accounts/factor_policy.py"),
        ("tests/api/test_second_factor.py", "tests/api/test_factor_given_up.py", "tests/api/test_every_door.py"),
    ),
    Claim(
        "passkeys",
        _("Passkeys"),
        _("A passkey of a device or a security key can be the second factor; it is asked for after the password."),
        True,
        "accounts.passkeys",
        ("apps/accounts/second_factor.py", "static/js/passkeys.js"),
        ("tests/browser/test_passkeys.py",),
    ),
    Claim(
        "sso",
        _("Single sign-on"),
        _(
            "A tenant's own OpenID Connect provider opens that tenant and no other. Each answer is bound to the browser by "
            "state, PKCE and nonce; issuer, audience, time and signature are compared, and only keys that the provider alone "
            "holds count. An address lets somebody join only in a domain proven by its DNS."
        ),
        True,
        "accounts.sso",
        ("apps/accounts/sso/provider.py", "apps/accounts/sso/rules.py", "apps/accounts/sso/session.py"),
        (
            "tests/attack/test_identity_providers.py",
            "tests/api/test_sso.py",
            "tests/api/test_sso_settings.py",
            "tests/api/test_sso_only.py",
        ),
    ),
    Claim(
        "flags",
        _("Feature flags"),
        _(
            "Who is in a cohort follows from a fixed hash and a salt that the database keeps from changing; each answer "
            "carries what is needed to compute it again. The database tells every process of a kill at commit, and one "
            "that does not hear it follows within five seconds."
        ),
        True,
        "flags.cohorts",
        ("apps/flags/rules.py", "apps/flags/evaluation.py", "apps/flags/listening.py"),
        ("tests/api/test_flags.py",),
    ),
    Claim(
        "webhooks_in",
        _("Inbound webhooks"),
        _(
            "What a mail provider or Stripe sends is verified over its raw bytes in constant time, within five minutes "
            "either way, and kept once; whatever fails that is refused, and told to those who watch."
        ),
        True,
        "comms.webhooks_in",
        ("apps/comms/verifying.py", "apps/comms/doors.py", "apps/comms/actions/inbox.py"),
        ("tests/api/test_webhooks_in.py",),
    ),
    Claim(
        "webhooks_out",
        _("Outbound webhooks"),
        _(
            "Submission and decision events go over HTTPS to public addresses only, signed by a secret that is stored "
            "encrypted; each is tried again for about a day, and every attempt stands in a log."
        ),
        True,
        "comms.webhooks_out",
        ("apps/comms/actions/delivering.py", "apps/tenants/egress.py", "apps/tenants/encryption.py"),
        ("tests/faults/test_webhooks.py", "tests/api/test_webhooks_out.py", "tests/attack/test_the_way_out.py"),
    ),
    Claim(
        "ai",
        _("AI budget and ledger"),
        _(
            "AI is off until the operator names a model and grants a budget and an owner agrees. Before each call the "
            "most it can cost is held, so that a month's limit holds through crashes; every attempt is in an append-only "
            "ledger and in the audit log. What a model writes is labelled, plain text, and decides nothing."
        ),
        True,
        "ai.ledger",
        ("apps/ai/actions/ledger.py", "apps/ai/gateway.py", "apps/ai/redaction.py"),
        ("tests/faults/test_ai_ledger.py", "tests/faults/test_ai_models.py", "tests/api/test_ai.py"),
    ),
    Claim(
        "disclosure",
        _("Vulnerability reports"),
        _(
            "Anyone reports a weakness by a public form without an account, which Orkestra runs as its own process: a "
            "second person verifies each fix, a private link shows every step, and how fast reports are acknowledged "
            "is measured from the real cases."
        ),
        True,
        "trust.disclosure",
        ("apps/trust/disclosure.py", "apps/forms/actions/public.py", "apps/forms/actions/disclosure.py"),
        ("tests/api/test_disclosure.py", "tests/api/test_public_forms.py", "tests/api/test_four_eyes.py"),
    ),
    Claim(
        "observability",
        _("Logs, metrics and alerts"),
        _(
            "Our log lines are JSON, hold ids and nothing that people type; where no mail server is named, mails are printed "
            "beside them, and PostgreSQL's own log holds statements that failed, with their values. One id, the caller's if "
            "given, goes from request to jobs; metrics have a port of their own and name no tenant; security events are kept where the app can only add them."
        ),
        True,
        "operations.observability",
        (
            "apps/operations/alarms.py",
            "apps/tenants/measures.py",
            "orkestra/runtime/metrics.py",
            "orkestra/settings/logs.py",
        ),
        ("tests/faults/test_alarms.py", "tests/runtime/test_metrics.py", "tests/unit/test_logs.py"),
    ),
    *(Claim(*words) for words in NOT_BUILT),
)


def live() -> list[Claim]:
    """What holds now, each with its probe."""
    return [claim for claim in CLAIMS if claim.live]


def missing() -> list[Claim]:
    """What is not built yet."""
    return [claim for claim in CLAIMS if not claim.live]
