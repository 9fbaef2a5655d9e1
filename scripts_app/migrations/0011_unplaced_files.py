from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("scripts_app", "0010_calendar_key"),
    ]

    operations = [
        migrations.CreateModel(
            name="UnplacedFiles",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "token",
                    models.CharField(
                        help_text="Names the folder they lie in.", max_length=40, unique=True
                    ),
                ),
                (
                    "files",
                    models.JSONField(
                        help_text="Each with its script, its place there, and its path."
                    ),
                ),
            ],
        ),
    ]
