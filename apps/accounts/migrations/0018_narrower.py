"""What SQL that is injected inside a tenant could change for people and for the whole installation, and may not any more.

Reading stays as it was. Writing asks for the person themselves or for a context that says that no tenant is known, which
nobody can bind but the app. Only the owner of the tables makes a Super Admin.
"""

from __future__ import annotations

from django.db import migrations

from apps.tenants.policies import PERSON, UNBOUND, before_tenant
from apps.tenants.roles import APP

PEOPLE = f"{UNBOUND} OR {{column}} IN (SELECT user_id FROM accounts_member)"
OWN = f"{UNBOUND} OR {{column}} = {PERSON}"
OF_PEOPLE = (
    ("accounts_user", "id"),
    ("account_emailaddress", "user_id"),
    ("mfa_authenticator", "user_id"),
    ("accounts_recoverycode", "user_id"),
)


def own_alone(table: str, column: str) -> migrations.RunSQL:
    """With a tenant bound its people are seen, and a person's row is changed by nobody but them."""
    people, own = PEOPLE.format(column=column), OWN.format(column=column)
    return migrations.RunSQL(
        f"DROP POLICY people ON {table}; "
        f"CREATE POLICY people ON {table} FOR SELECT TO {APP} USING ({people}); "
        f"CREATE POLICY own_add ON {table} FOR INSERT TO {APP} WITH CHECK ({own}); "
        f"CREATE POLICY own_change ON {table} FOR UPDATE TO {APP} USING ({own}) WITH CHECK ({own}); "
        f"CREATE POLICY own_delete ON {table} FOR DELETE TO {APP} USING ({own})",
        f"DROP POLICY own_delete ON {table}; DROP POLICY own_change ON {table}; DROP POLICY own_add ON {table}; "
        f"DROP POLICY people ON {table}; CREATE POLICY people ON {table} TO {APP} USING ({people}) WITH CHECK ({people})",
    )


ONLY_THE_OWNER = """
CREATE FUNCTION accounts_user_made_admin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.is_platform_admin AND (TG_OP = 'INSERT' OR NOT OLD.is_platform_admin)
     AND NOT pg_has_role(current_user, 'orkestra_owner', 'MEMBER') THEN
    RAISE EXCEPTION 'only the owner of the tables makes a Super Admin' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER accounts_user_made_admin BEFORE INSERT OR UPDATE ON accounts_user
  FOR EACH ROW EXECUTE FUNCTION accounts_user_made_admin();
"""
BACK = "DROP TRIGGER accounts_user_made_admin ON accounts_user; DROP FUNCTION accounts_user_made_admin()"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0017_key_made_by"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
    ]

    operations = [
        *[own_alone(table, column) for table, column in OF_PEOPLE],
        before_tenant("accounts_kept", UNBOUND),
        before_tenant("accounts_signingkey", "true"),
        before_tenant("accounts_revocation", "true"),
        migrations.RunSQL(ONLY_THE_OWNER, BACK),
    ]
