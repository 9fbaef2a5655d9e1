"""Builds, installations and backups get numbers of their own, in the order in which they were asked for."""

from collections import Counter
from typing import Any

from django.db import migrations, models


def count(apps: Any, schema_editor: Any) -> None:
    rows = apps.get_model("runs_app", "Run").objects.exclude(kind="script")
    counts: Counter[str] = Counter()
    for pk, kind in rows.order_by("pk").values_list("pk", "kind"):
        counts[kind] += 1
        rows.filter(pk=pk).update(own_number=counts[kind])


class Migration(migrations.Migration):
    dependencies = [("runs_app", "0017_found_by_more")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="own_number",
            field=models.PositiveIntegerField(
                editable=False,
                help_text="Counts the builds, and so on; a script's run has its id.",
                null=True,
            ),
        ),
migrations.AlterField(
            model_name='run',
            name='missed_count',
            field=models.PositiveIntegerField(default=0, help_text='Due starts this row stands for beside its own.'),
        ),
        migrations.AlterField(
            model_name='run',
            name='overran',
            field=models.BooleanField(default=False, help_text="It took longer than to its schedule's next start."),
        ),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]
