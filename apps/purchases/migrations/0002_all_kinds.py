from django.db import migrations, models

# Every kind of record, the chain of sealed terminals, and what follows a sale.
CREATE = """
ALTER TABLE purchases_terminalstate
    ADD COLUMN sealed_from integer,
    ADD COLUMN head bytea CHECK (octet_length(head) = 32),
    ADD CONSTRAINT purchases_terminalstate_sealed CHECK ((head IS NULL) = (sealed_from IS NULL));
ALTER TABLE purchases_purchase
    ADD COLUMN kind text NOT NULL DEFAULT 'sale',
    ADD COLUMN of_terminal_id integer,
    ADD COLUMN of_seq integer,
    ADD CONSTRAINT purchases_purchase_of CHECK (
        (kind IN ('return', 'void', 'correction')) = (of_seq IS NOT NULL)
        AND (of_seq IS NULL) = (of_terminal_id IS NULL));
CREATE INDEX purchases_purchase_not_sale ON purchases_purchase (lane, terminal_id, seq) WHERE kind <> 'sale';
ALTER TABLE purchases_rejection
    ADD COLUMN batch_id bigint,
    ADD COLUMN value text NOT NULL DEFAULT '',
    ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN has_line boolean NOT NULL DEFAULT false,
    ADD COLUMN kind text NOT NULL DEFAULT 'sale',
    ADD COLUMN of_terminal_id integer,
    ADD COLUMN of_seq integer;
-- Until now sales only were well-formed, and their lines were kept.
UPDATE purchases_rejection SET has_line = true WHERE spends_seq AND code <> 'record_malformed';
CREATE INDEX purchases_rejection_batch ON purchases_rejection (lane, batch_id) WHERE batch_id IS NOT NULL;
ALTER TABLE purchases_outcome
    DROP CONSTRAINT purchases_outcome_status_check,
    ADD CONSTRAINT purchases_outcome_status_check
        CHECK (status IN ('counted', 'held', 'rejected', 'waiting', 'unclaimed', 'voided')),
    ADD COLUMN value text NOT NULL DEFAULT '';
CREATE INDEX purchases_batch_changed ON purchases_batch (lane, terminal_id, counted_at);
CREATE TABLE purchases_seal (
    lane smallint NOT NULL,
    terminal_id integer NOT NULL,
    last_seq integer NOT NULL,
    head bytea NOT NULL CHECK (octet_length(head) = 32),
    signature bytea NOT NULL CHECK (octet_length(signature) = 64),
    received_at timestamptz NOT NULL,
    PRIMARY KEY (lane, terminal_id, last_seq)
);
CREATE TABLE purchases_followup (
    of_lane smallint NOT NULL,
    of_terminal_id integer NOT NULL,
    of_seq integer NOT NULL,
    lane smallint NOT NULL,
    terminal_id integer NOT NULL,
    seq integer NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    received_at timestamptz NOT NULL,
    line text NOT NULL,
    code text NOT NULL,
    due boolean NOT NULL,
    waiting boolean NOT NULL,
    failed boolean NOT NULL DEFAULT false,
    PRIMARY KEY (of_lane, of_terminal_id, of_seq, terminal_id, seq)
);
CREATE INDEX purchases_followup_due ON purchases_followup (position) WHERE due AND NOT failed;
CREATE INDEX purchases_followup_open ON purchases_followup (of_lane, of_terminal_id, of_seq) WHERE due OR waiting;
CREATE TABLE purchases_closing (
    lane smallint NOT NULL,
    terminal_id integer NOT NULL,
    seq integer NOT NULL,
    tax_year smallint NOT NULL,
    at timestamptz NOT NULL,
    reported jsonb NOT NULL,
    recorded jsonb,
    agrees boolean,
    due boolean NOT NULL,
    PRIMARY KEY (lane, terminal_id, seq)
);
CREATE INDEX purchases_closing_due ON purchases_closing (lane, terminal_id, seq) WHERE due;
CREATE INDEX purchases_closing_open ON purchases_closing (lane, terminal_id) WHERE recorded IS NULL;
CREATE TABLE purchases_claim (
    claim text NOT NULL,
    lane smallint NOT NULL,
    terminal_id integer NOT NULL,
    seq integer NOT NULL,
    tax_year smallint NOT NULL,
    PRIMARY KEY (claim, terminal_id, seq)
);
"""
DROP = """
DROP TABLE purchases_claim, purchases_closing, purchases_followup, purchases_seal;
ALTER TABLE purchases_outcome
    DROP COLUMN value,
    DROP CONSTRAINT purchases_outcome_status_check,
    ADD CONSTRAINT purchases_outcome_status_check CHECK (status IN ('held', 'rejected', 'unclaimed'));
DROP INDEX purchases_batch_changed;
ALTER TABLE purchases_rejection DROP COLUMN batch_id, DROP COLUMN value, DROP COLUMN reason, DROP COLUMN has_line,
    DROP COLUMN kind, DROP COLUMN of_terminal_id, DROP COLUMN of_seq;
ALTER TABLE purchases_purchase DROP COLUMN kind, DROP COLUMN of_terminal_id, DROP COLUMN of_seq;
ALTER TABLE purchases_terminalstate DROP COLUMN sealed_from, DROP COLUMN head;
"""


class Migration(migrations.Migration):

    dependencies = [("purchases", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE, DROP)],
            state_operations=[
                migrations.AddField("terminalstate", "sealed_from", models.IntegerField(null=True)),
                migrations.AddField("terminalstate", "head", models.BinaryField(max_length=32, null=True)),
                migrations.AddField("purchase", "kind", models.TextField(default="sale")),
                migrations.AddField("purchase", "of_terminal_id", models.IntegerField(null=True)),
                migrations.AddField("purchase", "of_seq", models.IntegerField(null=True)),
                migrations.AddField("rejection", "batch_id", models.BigIntegerField(null=True)),
                migrations.AddField("rejection", "value", models.TextField(default="")),
                migrations.AddField("rejection", "reason", models.TextField(default="")),
                migrations.AddField("rejection", "has_line", models.BooleanField(default=False)),
                migrations.AddField("rejection", "kind", models.TextField(default="sale")),
                migrations.AddField("rejection", "of_terminal_id", models.IntegerField(null=True)),
                migrations.AddField("rejection", "of_seq", models.IntegerField(null=True)),
                migrations.AddField("outcome", "value", models.TextField(default="")),
                migrations.CreateModel(
                    name="Seal",
                    fields=[
                        ("pk", models.CompositePrimaryKey("lane", "terminal_id", "last_seq", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("lane", models.SmallIntegerField()),
                        ("terminal_id", models.IntegerField()),
                        ("last_seq", models.IntegerField()),
                        ("head", models.BinaryField(max_length=32)),
                        ("signature", models.BinaryField(max_length=64)),
                        ("received_at", models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name="Followup",
                    fields=[
                        ("pk", models.CompositePrimaryKey("of_lane", "of_terminal_id", "of_seq", "terminal_id", "seq", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("of_lane", models.SmallIntegerField()),
                        ("of_terminal_id", models.IntegerField()),
                        ("of_seq", models.IntegerField()),
                        ("lane", models.SmallIntegerField()),
                        ("terminal_id", models.IntegerField()),
                        ("seq", models.IntegerField()),
                        ("position", models.BigIntegerField()),
                        ("received_at", models.DateTimeField()),
                        ("line", models.TextField()),
                        ("code", models.TextField()),
                        ("due", models.BooleanField()),
                        ("waiting", models.BooleanField()),
                        ("failed", models.BooleanField(default=False)),
                    ],
                ),
                migrations.CreateModel(
                    name="Closing",
                    fields=[
                        ("pk", models.CompositePrimaryKey("lane", "terminal_id", "seq", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("lane", models.SmallIntegerField()),
                        ("terminal_id", models.IntegerField()),
                        ("seq", models.IntegerField()),
                        ("tax_year", models.SmallIntegerField()),
                        ("at", models.DateTimeField()),
                        ("reported", models.JSONField()),
                        ("recorded", models.JSONField(null=True)),
                        ("agrees", models.BooleanField(null=True)),
                        ("due", models.BooleanField()),
                    ],
                ),
                migrations.CreateModel(
                    name="Claim",
                    fields=[
                        ("pk", models.CompositePrimaryKey("claim", "terminal_id", "seq", blank=True, editable=False, primary_key=True, serialize=False)),
                        ("claim", models.TextField()),
                        ("lane", models.SmallIntegerField()),
                        ("terminal_id", models.IntegerField()),
                        ("seq", models.IntegerField()),
                        ("tax_year", models.SmallIntegerField()),
                    ],
                ),
            ],
        ),
    ]
