from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("attribution", "0002_covers_and_flow_parts")]

    operations = [
        migrations.AddIndex(
            model_name="bindingrow",
            index=models.Index(
                fields=["subject"], condition=models.Q(version=48), name="attribution_binding_machine",
            ),
        ),
    ]
