from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0013_actors_and_ways")]

    operations = [
        migrations.AddField(model_name="verified", name="asked_at", field=models.DateTimeField(null=True)),
    ]
