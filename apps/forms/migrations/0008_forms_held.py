from django.db import migrations

from apps.tenants.roles import APP, PLATFORM

# What Django writes for `Grant.objects.matching(member).filter(role__in=roles).values("form_id")`, as in 0007.
FORMS_HELD = f"""
CREATE FUNCTION orkestra_forms_held("of" uuid, member uuid, member_role text, roles text[]) RETURNS uuid[]
  LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY INVOKER AS $$
BEGIN
  RETURN ARRAY(
    SELECT "forms_grant"."form_id" AS "form_id" FROM "forms_grant"
    WHERE ("forms_grant"."tenant_id" = $1 AND (
      ("forms_grant"."principal_member_id" = $2 AND "forms_grant"."principal_type" = 'USER')
      OR ("forms_grant"."principal_role" = $3 AND "forms_grant"."principal_type" = 'ROLE')
      OR ("forms_grant"."principal_type" = 'TEAM' AND ("forms_grant"."principal_team_id" = ANY (ARRAY(
        SELECT U0."team_id" AS "team_id" FROM "accounts_teammember" U0
        WHERE (U0."tenant_id" = $1 AND U0."member_id" = $2))))))
      AND "forms_grant"."role" = ANY ($4))
  );
END $$;
REVOKE ALL ON FUNCTION orkestra_forms_held(uuid, uuid, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orkestra_forms_held(uuid, uuid, text, text[]) TO {APP}, {PLATFORM};
"""


class Migration(migrations.Migration):
    dependencies = [("forms", "0007_roles_on")]

    operations = [migrations.RunSQL(FORMS_HELD, "DROP FUNCTION orkestra_forms_held(uuid, uuid, text, text[])")]
