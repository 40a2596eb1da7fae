"""Forms, submissions by the month they are sent in, and the bytes of files are counted."""

from __future__ import annotations

from django.db import migrations

from apps.billing.meters import meter

MONTH = "to_char(row.submitted_at AT TIME ZONE 'UTC', 'YYYY-MM')"


class Migration(migrations.Migration):
    dependencies = [("forms", "0001_initial"), ("billing", "0002_plans_and_count")]

    operations = [
        meter("forms_form", "forms", "1"),
        meter("forms_submission", "submissions", "(row.submitted_at IS NOT NULL)::int", MONTH),
        meter("forms_attachment", "storage", "row.size"),
    ]
