import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs_app", "0008_clock"),
        ("scripts_app", "0008_crontab_origin"),
    ]

    operations = [
        migrations.AddField("run", "explanation", models.JSONField(null=True)),
        migrations.AddField("run", "fingerprint", models.CharField(max_length=16, null=True)),
        migrations.AddIndex(
            "run",
            models.Index(
                "script",
                "fingerprint",
                "id",
                condition=models.Q(fingerprint__isnull=False),
                name="run_of_failure",
            ),
        ),
        migrations.CreateModel(
            name="FailureGroup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("fingerprint", models.CharField(max_length=16)),
                ("kind", models.CharField(max_length=20)),
                ("title", models.CharField(max_length=300)),
                ("place", models.CharField(blank=True, max_length=300)),
                ("count", models.PositiveBigIntegerField(default=1)),
                ("first_run", models.PositiveBigIntegerField()),
                ("first_at", models.DateTimeField()),
                (
                    "first_version",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="scripts_app.version",
                    ),
                ),
                ("last_run", models.PositiveBigIntegerField()),
                ("last_at", models.DateTimeField()),
                (
                    "last_version",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="scripts_app.version",
                    ),
                ),
                ("since_run", models.PositiveBigIntegerField()),
                (
                    "script",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="failures",
                        to="scripts_app.script",
                    ),
                ),
            ],
            options={"ordering": ["-last_run", "-pk"]},
        ),
        migrations.AddConstraint(
            "failuregroup",
            models.UniqueConstraint(
                fields=["script", "fingerprint"], name="one_failure_a_fingerprint"
            ),
        ),
        migrations.AddIndex(
            "failuregroup", models.Index(fields=["-last_run", "-id"], name="failure_newest")
        ),
        migrations.AddIndex(
            "failuregroup", models.Index(fields=["fingerprint"], name="failure_of_others")
        ),
    ]
