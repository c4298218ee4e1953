"""How sure the holder is, is kept for each incident of a case and not for the first alone.

Of what an older version put into a case it is not known that the holder was confirmed: nothing wider than a block
follows from that by its ladder, and a person looks at what would have.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("cases", "0010_brands")]

    operations = [
        migrations.AddField("memberrow", "confirmed", models.BooleanField(default=False, db_default=False)),
    ]
