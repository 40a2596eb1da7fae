"""Key, algorithm and salt of a flag never change: whoever tries gets an error, by whatever door."""

from __future__ import annotations

from django.db import migrations

FROZEN = """
CREATE FUNCTION flags_flag_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.key, NEW.algo, NEW.salt) IS DISTINCT FROM (OLD.key, OLD.algo, OLD.salt) THEN
    RAISE EXCEPTION 'key, algorithm and salt of a flag never changes';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER flags_flag_frozen BEFORE UPDATE ON flags_flag FOR EACH ROW EXECUTE FUNCTION flags_flag_frozen();
"""
BACK = "DROP TRIGGER flags_flag_frozen ON flags_flag; DROP FUNCTION flags_flag_frozen()"


class Migration(migrations.Migration):
    dependencies = [("flags", "0001_initial")]

    operations = [migrations.RunSQL(FROZEN, BACK)]
