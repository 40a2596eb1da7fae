from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0014_asked")]

    operations = [
        migrations.AlterField(
            model_name="logexport", name="query", field=models.CharField(blank=True, max_length=2500)
        ),
        migrations.AlterField(model_name="savedview", name="query", field=models.CharField(max_length=2500)),
    ]
