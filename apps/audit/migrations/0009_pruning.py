from django.db import migrations

from apps.tenants.roles import APP

# It takes nothing that no recorded act covers and nothing younger than thirty days, in the bound tenant alone.
PRUNE = f"""
CREATE FUNCTION orkestra_prune_log(act uuid, low bigint, high bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE
  SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  bound uuid := public.orkestra_tenant();
  before text := coalesce(current_setting('orkestra.tenant', true), '');
  until bigint;
  gone bigint;
BEGIN
  PERFORM set_config('orkestra.tenant', coalesce(bound::text, ''), true);
  SELECT (convert_from(e.body, 'UTF8')::jsonb #>> '{{facts,until}}')::bigint INTO until
    FROM public.audit_entry e JOIN public.audit_seal s ON s.tenant_id = e.tenant_id AND s.entry_id = e.id
    WHERE e.tenant_id = bound AND e.id = act AND e.action = 'audit.pruned' AND octet_length(e.body) > 0
      AND s.seq >= (convert_from(e.body, 'UTF8')::jsonb #>> '{{facts,until}}')::bigint;
  IF until IS NULL OR low < 0 OR high > until THEN
    RAISE EXCEPTION 'no recorded act covers these entries';
  END IF;
  DELETE FROM public.audit_privatevalue p USING public.audit_seal s, public.audit_entry e
    WHERE s.tenant_id = bound AND s.seq >= low AND s.seq < high AND p.tenant_id = bound AND p.entry_id = s.entry_id
      AND e.tenant_id = bound AND e.id = s.entry_id AND e.time < now() - interval '30 days';
  UPDATE public.audit_entry e
    SET body = '', action = '', actor_type = '', actor_id = NULL, target_type = '', target_id = NULL, target_label = '',
        outcome = '', request_id = ''
    FROM public.audit_seal s
    WHERE s.tenant_id = bound AND s.seq >= low AND s.seq < high AND e.tenant_id = bound AND e.id = s.entry_id
      AND octet_length(e.body) > 0 AND e.time < now() - interval '30 days';
  GET DIAGNOSTICS gone = ROW_COUNT;
  IF high = until THEN
    DELETE FROM public.audit_word w USING public.audit_entry e
      WHERE w.tenant_id = bound AND e.tenant_id = bound AND e.id = w.entry_id AND e.action = '';
  END IF;
  PERFORM set_config('orkestra.tenant', before, true);
  RETURN gone;
END $$;
REVOKE ALL ON FUNCTION orkestra_prune_log(uuid, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orkestra_prune_log(uuid, bigint, bigint) TO {APP};
"""
BACK = "DROP FUNCTION orkestra_prune_log(uuid, bigint, bigint);"


class Migration(migrations.Migration):
    dependencies = [("audit", "0008_views_and_exports")]

    operations = [migrations.RunSQL(PRUNE, BACK)]
