"""Whoever changes a flag or an override, by whatever door, tells every process that listens; told at COMMIT."""

from __future__ import annotations

from django.db import migrations

TELL = """
CREATE FUNCTION flags_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('orkestra_flags', '');
  RETURN NULL;
END $$;
CREATE TRIGGER flags_told AFTER INSERT OR UPDATE OR DELETE ON flags_flag
  FOR EACH STATEMENT EXECUTE FUNCTION flags_tell();
CREATE TRIGGER flags_told AFTER INSERT OR UPDATE OR DELETE ON flags_flagoverride
  FOR EACH STATEMENT EXECUTE FUNCTION flags_tell();
"""
BACK = (
    "DROP TRIGGER flags_told ON flags_flagoverride; DROP TRIGGER flags_told ON flags_flag; DROP FUNCTION flags_tell()"
)


class Migration(migrations.Migration):
    dependencies = [("flags", "0002_frozen")]

    operations = [migrations.RunSQL(TELL, BACK)]
