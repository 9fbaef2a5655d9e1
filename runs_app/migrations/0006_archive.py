from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs_app", "0005_syntax")]

    operations = [
        migrations.RemoveIndex("run", "run_unfolded"),
        migrations.RenameField("run", "folded_at", "archived_at"),
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["id"],
                condition=models.Q(("archived_at__isnull", True), ("finished_at__isnull", False)),
                name="run_unarchived",
            ),
        ),
    ]
