"""What is claimed of getting in, of staying in, and of what somebody may do there."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from .claim import Claim

ACCESS: tuple[Claim, ...] = (
    Claim(
        "revocation",
        _("Revocation list"),
        _(
            "A token that is taken back is refused at the next request: Redis carries the list, PostgreSQL stands "
            "behind it, and with both away nobody gets in."
        ),
        True,
        "accounts.revocation",
        ("apps/accounts/revocation.py", "apps/accounts/gateway.py"),
        ("tests/faults/test_revocation.py",),
    ),
    Claim(
        "guessing",
        _("Guessing"),
        _(
            "Tries at sign-in are counted in PostgreSQL, so that no loss of Redis opens a door; past the limit the "
            "answer is 429, in the log, and an event for who watches. Strangers who guess at an account close it for "
            "strangers; a browser in which its person has signed in, and a session that is open, go on."
        ),
        True,
        "accounts.guessing",
        ("apps/accounts/limits.py", "apps/accounts/known.py", "apps/accounts/lasting.py"),
        ("tests/attack/test_guessing.py", "tests/attack/test_known_browsers.py"),
    ),
    Claim(
        "sessions",
        _("Sessions"),
        _(
            "A browser's session ends on the server after 12 hours without use and after 7 days in any case; each person "
            "sees what is open for them and ends it, and another password ends all others."
        ),
        True,
        "accounts.sessions",
        ("apps/accounts/sessions.py", "apps/accounts/session_views.py"),
        ("tests/api/test_sessions.py",),
    ),
    Claim(
        "api_keys",
        _("API keys"),
        _(
            "An API key is shown once and stored as a hash, acts as the member who made it, or as a service account, within its scopes, ends within "
            "a year, and is refused from the next request on when it is taken back."
        ),
        True,
        "accounts.api_keys",
        ("apps/accounts/actions/api_keys.py", "apps/accounts/key_format.py"),
        ("tests/api/test_api_keys.py",),
    ),
    Claim(
        "service_accounts",
        _("Service accounts"),
        _(
            "A program can have an account without a person: it has no password by a constraint of the database, no "
            "session and no token, acts by API keys alone, is never an owner and never asked to decide, and is named in the "
            "log as what it is. Switched off, its keys end at once."
        ),
        True,
        "accounts.service_accounts",
        ("apps/accounts/actions/service_accounts.py", "apps/accounts/gateway.py"),
        ("tests/api/test_service_accounts.py",),
    ),
    Claim(
        "step_up",
        _("Asked again"),
        _(
            "What is dangerous stands on one list, and asks by page and API for a sign-in of the last five minutes, with the "
            "second factor of those who have one; an API key cannot do it at all."
        ),
        True,
        "accounts.step_up",
        ("apps/tenants/freshness.py", "apps/accounts/step_up.py"),
        ("tests/attack/test_dangerous_acts.py",),
    ),
    Claim(
        "form_acl",
        _("Per-form access lists"),
        _(
            "Owner, editor, reviewer or filler of a form is a person, a team or a role; one rule answers list, detail "
            "and files, one says who may fill it, and no grant lifts anybody over their tenant role."
        ),
        True,
        "forms.access",
        ("apps/forms/access.py", "apps/forms/actions/access.py", "apps/forms/models.py", "apps/forms/rules/filling.py"),
        ("tests/api/test_access.py", "tests/api/test_filling.py"),
    ),
    Claim(
        "rbac",
        _("Roles"),
        _(
            "What owner, member and viewer may do is one table, checked at each request and shown in settings as it is "
            "enforced; a change of role counts from the next request on."
        ),
        True,
        "accounts.roles",
        ("apps/accounts/rules.py", "apps/accounts/actions/members.py"),
        ("tests/api/test_people.py",),
    ),
)
