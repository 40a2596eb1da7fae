from django.db import migrations, models

from apps.tenants.roles import APP, PLATFORM

# What Django writes for `Grant.objects.matching(member).filter(form=form)`, held to it by a test: a change of that rule
# is a migration that replaces this function. As the caller's own, so the policies hold; a function, because the
# database plans the statements of one only once a session, and planning took longer than looking.
ROLES_ON = f"""
CREATE FUNCTION orkestra_roles_on("of" uuid, form uuid, member uuid, member_role text) RETURNS text[]
  LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY INVOKER AS $$
BEGIN
  RETURN ARRAY(
    SELECT "forms_grant"."role" AS "role" FROM "forms_grant"
    WHERE ("forms_grant"."tenant_id" = $1 AND (
      ("forms_grant"."principal_member_id" = $3 AND "forms_grant"."principal_type" = 'USER')
      OR ("forms_grant"."principal_role" = $4 AND "forms_grant"."principal_type" = 'ROLE')
      OR ("forms_grant"."principal_type" = 'TEAM' AND ("forms_grant"."principal_team_id" = ANY (ARRAY(
        SELECT U0."team_id" AS "team_id" FROM "accounts_teammember" U0
        WHERE (U0."tenant_id" = $1 AND U0."member_id" = $3))))))
      AND "forms_grant"."form_id" = $2)
  );
END $$;
REVOKE ALL ON FUNCTION orkestra_roles_on(uuid, uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orkestra_roles_on(uuid, uuid, uuid, text) TO {APP}, {PLATFORM};
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0014_recovery_codes"),
        ("forms", "0006_grants_by_role"),
        ("tenants", "0003_sso"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="form",
            index=models.Index(fields=["tenant", "-created_at", "-id"], name="forms_form_created"),
        ),
        migrations.RunSQL(ROLES_ON, "DROP FUNCTION orkestra_roles_on(uuid, uuid, uuid, text)"),
    ]
