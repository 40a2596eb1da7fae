"""The bound context is signed: the functions that policies call verify it, and the owner has policies of its own."""

import apps.tenants.clock
from django.db import migrations, models

from apps.tenants.backend.base import FORGED
from apps.tenants.roles import APP, OWNER, PLATFORM, SEALER


def verified(name: str, returns: str, empty: str, answer: str) -> str:
    """A function that answers from a valid `kid.tenant.person.expiry.mac`, `empty` for nothing, and raises for the rest.

    The comparison takes no constant time, and need not: who can time it cannot try a MAC of 256 bits often enough.
    """
    return f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS {returns} LANGUAGE plpgsql STABLE PARALLEL SAFE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bound text := current_setting('orkestra.bound', true);
  is_signed boolean;
BEGIN
  IF bound IS NULL OR bound = '' THEN RETURN {empty}; END IF;
  SELECT encode(sha256(k.outer_block || sha256(k.inner_block || convert_to(left(bound, -65), 'UTF8'))), 'hex')
         = right(bound, 64)
    INTO is_signed FROM public.tenants_contextkey k
    WHERE k.kid = split_part(bound, '.', 1) AND (k.retires_at IS NULL OR k.retires_at > statement_timestamp());
  IF is_signed IS NOT TRUE THEN
    RAISE EXCEPTION 'the bound context is not signed by a key in force' USING ERRCODE = '{FORGED}', DETAIL = 'forged';
  END IF;
  IF split_part(bound, '.', 4)::bigint <= extract(epoch FROM statement_timestamp()) THEN
    RAISE EXCEPTION 'the bound context has expired' USING ERRCODE = '{FORGED}', DETAIL = 'expired';
  END IF;
  RETURN {answer};
END $$;
"""


FUNCTIONS = f"""
{verified("orkestra_tenant", "uuid", "NULL", "nullif(split_part(bound, '.', 2), '')::uuid")}
{verified("orkestra_user", "uuid", "NULL", "nullif(split_part(bound, '.', 3), '')::uuid")}
{verified("orkestra_before_tenant", "boolean", "false", "split_part(bound, '.', 2) = ''")}
CREATE OR REPLACE FUNCTION orkestra_owner_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('orkestra.tenant', true), '')::uuid $$;
CREATE OR REPLACE FUNCTION orkestra_context_kid(secret text) RETURNS text LANGUAGE sql STABLE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT k.kid::text FROM public.tenants_contextkey k WHERE k.fingerprint = secret AND k.retires_at IS NULL
        ORDER BY k.made_at DESC LIMIT 1 $$;
REVOKE ALL ON FUNCTION orkestra_tenant(), orkestra_user(), orkestra_before_tenant(), orkestra_context_kid(text)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orkestra_tenant(), orkestra_user(), orkestra_before_tenant(), orkestra_context_kid(text)
  TO {APP}, {PLATFORM}, {SEALER};
"""

# Only a database of before has anything to change here: a new one makes its policies in this shape.
POLICIES = f"""
DO $do$
DECLARE
  found record;
  rest text;
BEGIN
  FOR found IN SELECT tablename, policyname, qual, roles FROM pg_policies
    WHERE schemaname = 'public' AND '{OWNER}' = ANY (roles) AND cardinality(roles) > 1
  LOOP
    SELECT string_agg(quote_ident(role), ', ') INTO rest FROM unnest(found.roles) role WHERE role <> '{OWNER}';
    EXECUTE format('ALTER POLICY %I ON %I TO %s', found.policyname, found.tablename, rest);
    IF found.policyname = 'tenant' THEN
      rest := replace(found.qual, 'orkestra_tenant', 'orkestra_owner_tenant');
      EXECUTE format('CREATE POLICY owner ON %I TO {OWNER} USING (%s) WITH CHECK (%s)', found.tablename, rest, rest);
    ELSE
      EXECUTE format('CREATE POLICY owner ON %I TO {OWNER} USING (true)', found.tablename);
    END IF;
  END LOOP;
  FOR found IN SELECT tablename, policyname, qual, with_check FROM pg_policies
    WHERE schemaname = 'public' AND qual LIKE '%( SELECT orkestra_tenant() AS orkestra_tenant) IS NULL%'
  LOOP
    rest := replace(found.qual, '( SELECT orkestra_tenant() AS orkestra_tenant) IS NULL', '( SELECT orkestra_before_tenant())');
    EXECUTE format('ALTER POLICY %I ON %I USING (%s)', found.policyname, found.tablename, rest)
      || CASE WHEN found.with_check IS NULL THEN '' ELSE format(' WITH CHECK (%s)', rest) END;
  END LOOP;
END $do$;
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="ContextKey",
            fields=[
                ("kid", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("fingerprint", models.CharField(max_length=8)),
                ("inner_block", models.BinaryField()),
                ("outer_block", models.BinaryField()),
                ("made_at", models.DateTimeField(default=apps.tenants.clock.now)),
                ("retires_at", models.DateTimeField(null=True)),
            ],
            options={"default_permissions": ()},
        ),
        migrations.RunSQL(FUNCTIONS, migrations.RunSQL.noop),
        migrations.RunSQL(POLICIES, migrations.RunSQL.noop),
    ]
