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
    ("clock", "Clock or time zone changed"),
]


class Migration(migrations.Migration):
    dependencies = [("runs_app", "0007_programs")]

    operations = [
        migrations.AlterField(
            "run", "reason", models.CharField(blank=True, choices=REASONS, max_length=20)
        ),
    ]
