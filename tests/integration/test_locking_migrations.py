"""A migration of a big table holds up no till: what would is named here, with the reason why it may."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from apps.refunds.distribution import DISTRIBUTED
from tests.locking import held_up

BIG = {table for group in DISTRIBUTED for table in group.columns} | {
    "audit_event", "audit_accessrecord", "audit_logentry", "residents_resident", "residents_card",
    "residents_vaultrecord", "payouts_obligation", "payouts_attempt", "payouts_attemptevent",
}  # fmt: skip
# Made before the first release, when no installation had rows. What comes after it must not be added here.
BEFORE_THE_FIRST_RELEASE = {
    ("accruals", "0002_all_kinds"), ("accruals", "0004_withheld"), ("accruals", "0007_annulled"),
    ("accruals", "0008_finding"), ("payouts", "0003_stripe"), ("payouts", "0004_payees"),
    ("purchases", "0002_all_kinds"), ("purchases", "0004_indexes"),
    ("purchases", "0005_purchases_by_time"), ("residents", "0005_vault_and_card_life"),
    ("residents", "0014_mail_and_questions"), ("residents", "0015_drop_vault_account"),
}  # fmt: skip


def statements() -> Iterator[tuple[str, str, str]]:
    """(app, migration, SQL) of each of our migrations, in the order in which they are made."""
    own = {config.label for config in apps.get_app_configs() if config.name.startswith("apps.")}
    loader = MigrationLoader(connection, replace_migrations=False)
    state = loader.project_state([])
    for app, name in MigrationExecutor(connection).loader.graph._generate_plan(loader.graph.leaf_nodes(), at_end=True):
        migration = loader.graph.nodes[app, name]
        with connection.schema_editor(collect_sql=True, atomic=migration.atomic) as editor:
            state = migration.apply(state, editor, collect_sql=True)
        if app in own:
            yield app, name, "\n".join(editor.collected_sql)


@pytest.mark.django_db
def test_no_migration_holds_up_tills_while_a_big_table_is_rewritten_checked_or_indexed() -> None:
    wrong = {(app, name): found for app, name, sql in statements() if (found := held_up(sql, BIG))}
    assert {key: found for key, found in wrong.items() if key not in BEFORE_THE_FIRST_RELEASE} == {}
    assert not BEFORE_THE_FIRST_RELEASE - wrong.keys(), "these hold up nobody: take them off the list"


@pytest.mark.parametrize(("sql", "is_held_up"), [
    ('ALTER TABLE "purchases_purchase" ADD COLUMN "shop" text NULL;', False),
    ('ALTER TABLE "purchases_purchase" ADD COLUMN "shop" text DEFAULT \'\' NOT NULL;', False),
    ('ALTER TABLE "purchases_purchase" ADD COLUMN "shop" uuid DEFAULT gen_random_uuid() NOT NULL;', True),
    ('ALTER TABLE "purchases_purchase" ADD COLUMN "shop" text NOT NULL;', True),
    ('ALTER TABLE "purchases_purchase" ALTER COLUMN "seq" TYPE bigint USING "seq"::bigint;', True),
    ('ALTER TABLE "purchases_purchase" ALTER COLUMN "kind" SET NOT NULL;', True),
    ('ALTER TABLE "purchases_purchase" ADD CONSTRAINT "c" CHECK ("seq" > 0);', True),
    ('ALTER TABLE "purchases_purchase" ADD CONSTRAINT "c" CHECK ("seq" > 0) NOT VALID;', False),
    ('ALTER TABLE "purchases_purchase" VALIDATE CONSTRAINT "c";', False),
    ('ALTER TABLE "purchases_purchase" RENAME COLUMN "seq" TO "number";', True),
    ('CREATE INDEX "i" ON "purchases_purchase" ("at");', True),
    ('CREATE INDEX CONCURRENTLY "i" ON "purchases_purchase" ("at");', False),
    ('UPDATE purchases_purchase SET kind = \'sale\';', True),
    ('CREATE TABLE "purchases_purchase" ("seq" int); CREATE INDEX "i" ON "purchases_purchase" ("seq");', False),
    ('CREATE INDEX "i" ON "schemes_taxyear" ("year");', False),
])  # fmt: skip
def test_what_takes_as_long_as_the_table_has_rows_is_told(sql: str, is_held_up: bool) -> None:
    assert bool(held_up(sql, BIG)) == is_held_up
