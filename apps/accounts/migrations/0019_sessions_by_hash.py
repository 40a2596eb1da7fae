"""From now on the table has hashes of the keys of sessions. Those that are open were stored otherwise, and end."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0018_narrower")]

    operations = [
        migrations.RunSQL("DELETE FROM accounts_browsersession", "DELETE FROM accounts_browsersession"),
    ]
