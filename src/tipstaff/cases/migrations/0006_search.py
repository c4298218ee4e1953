"""Cases are found by parts of words, by whole words and by address, each with an index."""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.functions
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models

_INET = """
CREATE FUNCTION cases_inet(resource text) RETURNS inet LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF resource !~ '^[0-9a-fA-F:.]+(/[0-9]{1,3})?$' THEN RETURN NULL; END IF;
    RETURN resource::inet;
EXCEPTION WHEN invalid_text_representation THEN RETURN NULL;
END $$;
CREATE INDEX cases_resource_inet ON cases_caserow USING gist (cases_inet(resource) inet_ops)
    WHERE cases_inet(resource) IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = (("cases", "0005_work_on_cases"),)

    operations = (
        TrigramExtension(),
        migrations.RunSQL(
            "CREATE INDEX cases_parts_of_words ON cases_caserow USING gin (upper(customer_name) gin_trgm_ops,"
            " upper(resource) gin_trgm_ops, upper(clause) gin_trgm_ops, upper(type) gin_trgm_ops)",
            "DROP INDEX cases_parts_of_words",
        ),
        migrations.AddIndex(
            "caserow", models.Index(django.db.models.functions.Upper("customer"), name="cases_customer_upper")
        ),
        migrations.AddIndex(
            "caserow",
            django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.search.SearchVector("explanation", "answer", config="simple"),
                name="cases_words",
            ),
        ),
        migrations.AddIndex(
            "noterow",
            django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.search.SearchVector("text", config="simple"), name="cases_note_words"
            ),
        ),
        migrations.RunSQL(_INET, "DROP INDEX cases_resource_inet; DROP FUNCTION cases_inet(text)"),
    )
