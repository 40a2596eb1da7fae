"""The switches of this room: one for all of AI, one for each feature. On for every tenant that has AI at all."""

from typing import Any

from django.db import migrations

FLAGS = {
    "ai": "All calls to a model; off stops AI for everybody",
    "ai.summary": "Summaries for the person who decides",
}


def make_flags(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("flags", "Flag").objects.using(schema_editor.connection.alias)
    for key, description in FLAGS.items():
        rows.get_or_create(
            key=key, defaults={"description": description, "algo": "flagd-3", "salt": key, "threshold": 100_000}
        )


class Migration(migrations.Migration):
    dependencies = [("ai", "0001_initial"), ("flags", "0002_frozen")]

    operations = [migrations.RunPython(make_flags, migrations.RunPython.noop)]
