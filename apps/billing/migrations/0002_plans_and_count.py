"""The first plans, and the function that moves counters."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from apps.billing.meters import COUNT, DROP_COUNT

GIGABYTE = 1024**3
PLANS: list[dict[str, Any]] = [
    {
        "key": "small",
        "name": "Small",
        "limits": {"members": 5, "forms": 3, "submissions": 100, "storage": GIGABYTE // 2},
    },
    {
        "key": "team",
        "name": "Team",
        "limits": {"members": 50, "forms": 25, "submissions": 2_000, "storage": 10 * GIGABYTE},
    },
    {
        "key": "business",
        "name": "Business",
        "limits": {"members": 500, "forms": 250, "submissions": 50_000, "storage": 200 * GIGABYTE},
    },
]


def make_plans(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("billing", "Plan").objects.using(schema_editor.connection.alias)
    for order, plan in enumerate(PLANS, start=1):
        rows.create(order=order, **plan)


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [
        migrations.RunPython(make_plans, migrations.RunPython.noop),
        migrations.RunSQL(COUNT, DROP_COUNT),
    ]
