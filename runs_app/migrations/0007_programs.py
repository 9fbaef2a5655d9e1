from django.db import migrations, models

REASONS = [
    ("", "-"),
    ("exit_code", "Exit Code"),
    ("signal", "Signal"),
    ("time", "Time"),
    ("memory", "Memory"),
    ("memory_system", "The machine's memory"),
    ("cpu", "CPU"),
    ("output", "Output"),
    ("processes", "Processes"),
    ("could_not_start", "Could Not Start"),
    ("environment", "Environment"),
    ("user", "User"),
    ("shutdown", "Shutdown"),
    ("restart", "Restart"),
    ("overlap", "Overlap"),
    ("disabled", "Disabled"),
    ("disk", "Disk"),
    ("service_down", "Service Down"),
    ("paused", "Paused"),
    ("superseded", "Superseded"),
    ("syntax", "Syntax error"),
    ("inputs", "Inputs"),
    ("deleted", "Script deleted"),
    ("not_wanted", "Not wanted any more"),
]


def name_installations(apps, schema_editor):
    """An installation was a build without an environment; so is a build whose environment was removed since."""
    runs = apps.get_model("runs_app", "Run").objects
    runs.filter(kind="build", environment=None, params__has_key="python").update(kind="install")


def name_builds(apps, schema_editor):
    apps.get_model("runs_app", "Run").objects.filter(kind="install").update(kind="build")


def name_the_function_of_alarms(apps, schema_editor):
    """The rows named a function that does not exist. django-q2 never calls it: the cluster is not its own."""
    alarms = apps.get_model("django_q", "Schedule").objects.filter(cluster="alarms")
    alarms.update(func="runs_app.tasks.never_called_by_q2")


class Migration(migrations.Migration):
    dependencies = [
        ("runs_app", "0006_archive"),
        ("django_q", "0019_alter_task_options_alter_ormq_key_alter_ormq_lock_and_more"),
    ]

    operations = [
        migrations.AlterField(
            "run",
            "kind",
            models.CharField(
                choices=[("script", "Script"), ("build", "Build"), ("install", "Install")],
                default="script",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            "run", "reason", models.CharField(blank=True, choices=REASONS, max_length=20)
        ),
        migrations.RunPython(name_installations, name_builds),
        migrations.RunPython(name_the_function_of_alarms, migrations.RunPython.noop),
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["id"],
                condition=models.Q(("kind", "script"), _negated=True),
                name="run_own_programs",
            ),
        ),
    ]
