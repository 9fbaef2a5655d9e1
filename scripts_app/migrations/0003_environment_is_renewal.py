from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('scripts_app', '0002_draft'),
    ]

    operations = [
        migrations.AddField(
            model_name='environment',
            name='is_renewal',
            field=models.BooleanField(default=False, editable=False, help_text='To be built anew, though it is there.'),
        ),
    ]
