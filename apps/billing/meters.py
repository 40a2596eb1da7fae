"""Counting in the database: a deferred trigger on each counted table, so that no door goes around it.

The trigger moves the tenant's counter by a conditional UPDATE at COMMIT; where the limit would be passed it raises
SQLSTATE OR402 and the whole act is undone. Its functions run as the owner: the app can neither call nor change them.
"""

from __future__ import annotations

from django.db import migrations

from apps.tenants.backend.base import OVER_LIMIT

COUNT = f"""
CREATE FUNCTION orkestra_count(of uuid, what text, "in" text, delta bigint) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bound text := current_setting('orkestra.tenant', true);
  most_now bigint;
  used_now bigint;
BEGIN
  IF delta = 0 THEN RETURN; END IF;
  PERFORM set_config('orkestra.tenant', of::text, true);
  SELECT most INTO most_now FROM public.billing_limit WHERE tenant_id = of AND resource = what;
  INSERT INTO public.billing_counter (tenant_id, id, resource, period, used)
    VALUES (of, gen_random_uuid(), what, "in", 0) ON CONFLICT DO NOTHING;
  UPDATE public.billing_counter SET used = greatest(used + delta, 0)
    WHERE tenant_id = of AND resource = what AND period = "in"
      AND (delta < 0 OR most_now IS NULL OR used + delta <= most_now);
  IF NOT FOUND THEN
    SELECT used INTO used_now FROM public.billing_counter
      WHERE tenant_id = of AND resource = what AND period = "in";
    RAISE EXCEPTION 'over the limit of %', what USING ERRCODE = '{OVER_LIMIT}',
      DETAIL = json_build_object('resource', what, 'limit', most_now, 'used', used_now, 'requested', delta)::text;
  END IF;
  PERFORM set_config('orkestra.tenant', coalesce(bound, ''), true);
END $$;
REVOKE ALL ON FUNCTION orkestra_count(uuid, text, text, bigint) FROM PUBLIC;
"""
DROP_COUNT = "DROP FUNCTION orkestra_count(uuid, text, text, bigint)"


def meter(table: str, resource: str, amount: str, period: str = "''") -> migrations.RunSQL:
    """A migration that counts a table. `amount` and `period` are SQL over one row, written `row.column`."""
    old_amount, old_period = (text.replace("row.", "OLD.") for text in (amount, period))
    new_amount, new_period = (text.replace("row.", "NEW.") for text in (amount, period))
    name = f"orkestra_meter_{table}"
    return migrations.RunSQL(
        f"""
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  before bigint := 0;
  after bigint := 0;
BEGIN
  IF TG_OP <> 'INSERT' THEN before := {old_amount}; END IF;
  IF TG_OP <> 'DELETE' THEN after := {new_amount}; END IF;
  IF before = after THEN RETURN NULL; END IF;
  IF TG_OP = 'DELETE' THEN
    PERFORM public.orkestra_count(OLD.tenant_id, '{resource}', {old_period}, -before);
  ELSE
    PERFORM public.orkestra_count(NEW.tenant_id, '{resource}', {new_period}, after - before);
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION {name}() FROM PUBLIC;
CREATE CONSTRAINT TRIGGER {name} AFTER INSERT OR UPDATE OR DELETE ON {table}
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {name}();
""",
        f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}()",
    )
