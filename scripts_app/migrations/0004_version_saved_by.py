from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def name_authors(apps, schema_editor):
    User = apps.get_model('auth', 'User')
    names = User.objects.filter(pk=OuterRef('author')).values('username')
    versions = apps.get_model('scripts_app', 'Version').objects.exclude(author=None)
    versions.update(saved_by=Subquery(names[:1]))


class Migration(migrations.Migration):

    dependencies = [
        ('scripts_app', '0003_environment_is_renewal'),
    ]

    operations = [
        migrations.AddField(
            model_name='version',
            name='saved_by',
            field=models.CharField(blank=True, help_text="The author's name, kept; empty: an API key.", max_length=150),
        ),
        migrations.RunPython(name_authors, migrations.RunPython.noop),
    ]
