"""Whether anything that decides power changed: all rows of two companies, read by a superuser before and after."""

from __future__ import annotations

import json
from typing import Any

from psycopg import sql

from apps.accounts.models import Member
from apps.tenants.ids import new_id
from tests.cast import Company
from tests.database import superuser

# What decides whose something is or what somebody may, or what only the machine writes.
EXTRA = {
    "tenant": str(new_id()), "tenant_id": str(new_id()), "id": str(new_id()), "pk": "x", "role": "owner",
    "is_superuser": True, "is_staff": True, "is_platform_admin": True, "is_active": True, "is_service": True,
    "state": "approved", "owner": "x", "user": "x", "user_id": "x", "member": "x", "member_id": "x", "created_at": "x",
    "created_by": "x", "permissions": ["audit.read"], "submitter": "x", "live_version": "x", "secret_sha256": "x",
    "expires_at": "2099-01-01T00:00:00Z", "amr": ["otp"], "credential": "system", "scope": "platform",
}  # fmt: skip
# By name, beside every column that holds an id, a yes or no, or a hash.
DECIDE = {
    "role", "default_role", "factor_trust", "state", "kind", "scopes", "scope", "credential", "expires_at", "filling",
    "principal_type", "principal_role", "factor_required_from", "slug", "teams", "generation", "email", "amr", "off",
    "revoked_at", "removed_at", "accepted_at", "verified_at", "plan_id", "limits", "overrides", "trial_ends_at", "most",
    "cap", "ceiling", "ended_at", "live_version_id", "person", "subject", "issuer",
}  # fmt: skip
TYPES = {"uuid", "boolean", "bytea"}
# What the machine writes on its own way: the log, whose every entry names its actor, counts, and mail.
ASIDE = {"accounts_kept", "accounts_revocation", "billing_counter", "comms_outboxmessage", "forms_referencecounter"}
OF_PEOPLE = {
    "accounts_user": "email LIKE %(people)s",
    "account_emailaddress": "email LIKE %(people)s",
    "mfa_authenticator": "user_id IN (SELECT id FROM accounts_user WHERE email LIKE %(people)s)",
    "accounts_recoverycode": "user_id IN (SELECT id FROM accounts_user WHERE email LIKE %(people)s)",
    "tenants_tenant": "id = ANY(%(tenants)s)",
}
Rows = dict[tuple[str, str], dict[str, Any]]


class Watch:
    """What decides power, of two companies and of everybody whose address is theirs, by one statement."""

    def __init__(self, *companies: Company) -> None:
        self.wanted = {"tenants": [one.id for one in companies], "people": f"%{companies[0].slug}.example"}
        columns = (
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
        )
        self.columns: dict[str, set[str]] = {}
        with superuser() as connection:
            found = list(connection.execute(columns))
        ours = {str(table) for table, column, _kind in found if column == "tenant_id"} | set(OF_PEOPLE)
        for table, column, kind in found:
            logged = str(table).startswith("audit_") and table not in {"audit_savedview", "audit_logexport"}
            if table in ours - ASIDE and not logged and (kind in TYPES or column in DECIDE):
                self.columns.setdefault(str(table), set()).add(str(column))
        self.query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, id::text, to_jsonb(t) FROM {} t WHERE ").format(sql.Literal(t), sql.Identifier(t))
            + sql.SQL(OF_PEOPLE.get(t, "tenant_id = ANY(%(tenants)s)"))  # type: ignore[arg-type]
            for t in self.columns
        )
        self.last = self.read()

    def read(self) -> Rows:
        with superuser() as connection:
            rows = connection.execute(self.query, self.wanted).fetchall()
        return {(t, i): {c: row[c] for c in self.columns[t]} for t, i, row in rows}  # type: ignore[misc, index]

    def news(self) -> set[str]:
        """What is not as it was: `table.column` that changed, `table-` for a row that went, `table+column` for a new
        row in which a column holds what an attacker sent."""
        before, self.last = self.last, self.read()
        found = {f"{table}-" for table, _id in before.keys() - self.last.keys()}
        for (table, identity), row in self.last.items():
            old = before.get((table, identity))
            if old is None:
                found |= {f"{table}+{name}" for name, value in row.items() if _is_sent(name, value)}
            else:
                found |= {f"{table}.{name}" for name in row if row[name] != old[name]}
        return found


def _is_sent(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value and name in {"is_platform_admin", "is_staff", "is_superuser", "is_break_glass", "is_service"}
    if isinstance(value, list | dict):
        return any(text in json.dumps(value) for text in STRANGE)
    return value is not None and (str(value) in STRANGE or str(value).startswith("2099-01-01"))


NOWHERE = EXTRA["tenant_id"]
STRANGE = {NOWHERE, "owner", "OWNER", "approved", "system", "platform", "audit.read"}


def foreign(me: Member, rival: Company) -> dict[str, Any]:
    """Every field that would help: ids of the rival's and of the attacker, roles, states, flags, hashes."""
    STRANGE.update(str(one) for one in (rival.id, rival.owner.pk, rival.owner.user_id))
    theirs, person = str(rival.id), str(rival.owner.pk)
    more = {
        "tenant": theirs, "tenant_id": theirs, "user_id": str(rival.owner.user_id), "user": str(rival.owner.user_id),
        "member_id": person, "created_by_id": person, "submitter_id": person, "person_id": person, "person": person,
        "requester_id": person, "requested_by": person, "invited_by": person, "published_by_id": person, "by": person,
        "is_break_glass": "on", "is_platform_admin": "on", "is_superuser": "on", "is_staff": "on", "is_service": "on",
        "is_active": "on", "is_sso_only": "on", "default_role": "owner", "factor_required_from": "2099-01-01",
        "live_version_id": NOWHERE, "case_id": NOWHERE, "plan": "unlimited", "overrides": '{"members": 1000}',
        "verified_at": "2099-01-01T00:00:00Z", "verified": "on", "revoked_at": "", "granted": "on", "cap_by": person,
    }  # fmt: skip
    return EXTRA | more | {"member": str(me.pk), "id": NOWHERE, "pk": NOWHERE, "slug": "stolen"}
