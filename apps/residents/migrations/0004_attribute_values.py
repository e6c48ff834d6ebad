from django.db import migrations


class Migration(migrations.Migration):
    """Values that both assessments read alike: texts, and whole numbers of 64 bits."""

    dependencies = [("residents", "0003_households_and_attributes")]
    operations = [
        migrations.RunSQL(
            """
            ALTER TABLE residents_attribute ADD CONSTRAINT attribute_text_or_whole_number CHECK (
                CASE jsonb_typeof(value)
                    WHEN 'string' THEN true
                    WHEN 'number' THEN scale(value::numeric) = 0 AND abs(value::numeric) < 2::numeric ^ 63
                    ELSE false
                END)
            """,
            "ALTER TABLE residents_attribute DROP CONSTRAINT attribute_text_or_whole_number",
        )
    ]
