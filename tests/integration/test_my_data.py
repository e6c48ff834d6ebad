"""All the data of a resident as one file: every table, the resident's rows and nobody else's, and what it means."""

import csv
import io
import json
import tracemalloc
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accruals.models import Dispute, Entry
from apps.audit.access import Access
from apps.audit.models import AccessRecord
from apps.audit.operations import record_accesses
from apps.portal.data_words import COLUMNS
from apps.portal.models import Account
from apps.portal.queries.my_data import ACCOUNT_COLUMNS, EXCEPTIONS, TABLES, VAULT_COLUMNS
from apps.portal.zip_stream import as_both, cell, zipped
from apps.residents.models import AccessQuestion, Card, Message, RecordingPause, Resident
from apps.residents.operations.accounts import name_account
from apps.residents.operations.messages import tell
from apps.residents.operations.questions import ask_why
from apps.residents.operations.recording import pause_recording
from apps.residents.vault.contents import Account as BankAccount
from tests.acting import named
from tests.identities import enter
from tests.judging import lose, on
from tests.pages import PASSWORD, shown
from tests.till import RawTill
from tests.world import YEAR, World
from tests.year_end import checked, count, to_approved

pytestmark = pytest.mark.django_db(transaction=True)
EN = {"accept-language": "en"}


@pytest.fixture
def hanako(world: World, client: Client) -> UUID:
    """The first resident, in the vault and signed in."""
    for number, ref in enumerate(world.residents):
        enter(ref, name=("𠮷田 髙子", "鈴木 太郎")[number])
        user = User.objects.create_user(("hanako", "taro")[number], password=PASSWORD)
        Account.objects.create(user=user, resident_ref=ref)
    client.force_login(User.objects.get(username="hanako"))
    return world.residents[0]


def taken(client: Client) -> ZipFile:
    response: Any = client.post("/my-data/download")
    assert response["Content-Type"] == "application/zip"
    return ZipFile(io.BytesIO(b"".join(response.streaming_content)))


def rows(archive: ZipFile, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(archive.read(f"{name}.json"))
    return found


def test_every_table_that_knows_a_resident_is_in_the_file_or_left_out_for_a_reason() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND (column_name ~ '(^|_)resident(_ref|_id)?$' OR table_name = 'residents_resident')"
        )
        knowing = {name for (name,) in cursor.fetchall()}
    through = {Card, Resident}  # what points to these is the resident's as well
    for model in apps.get_models():
        if any(f.related_model in through for f in model._meta.concrete_fields if f.is_relation):
            knowing.add(model._meta.db_table)
    partitions = {name for name in knowing if name.rpartition("_")[2].isdigit() or name.endswith("_default")}
    given = {table.model._meta.db_table for table in TABLES}
    assert knowing - partitions - given == set(EXCEPTIONS)
    assert all(EXCEPTIONS.values())


def test_every_column_says_what_it_means_and_none_tells_of_others_or_of_keys() -> None:
    names = {column for table in TABLES for column in (*table.columns, *table.added_columns)} | {
        *VAULT_COLUMNS,
        *ACCOUNT_COLUMNS,
    }
    assert names <= set(COLUMNS)
    secret = {
        "actor",
        "reported_by",
        "lifted_by",
        "ordered_by",
        "looked_by",
        "answered_by",
        "code_hash",
        "stop_token",
        "named_by",
        "ended_by",
        "given_by",
        "requested_by",
        "reviewed_by",
        "proposed_by",
        "approved_by",
    }
    assert not names & (secret | {"payee_id", "payee_ref", "card_index", "sealed_card_id"})


def test_the_file_has_all_of_the_resident_and_nothing_of_the_other(
    client: Client, hanako: UUID, till: RawTill, world: World, tmp_path: Any
) -> None:
    other, now = world.residents[1], timezone.now()
    sale = till.sale(hanako, at=on(1), reduced=55_000)
    count(till, sale, till.sale(hanako, at=on(20), standard=700), till.sale(other, at=on(1), reduced=11_000))
    count(till, till.give_back(sale, reduced=22_000))
    lose(hanako, on(10))
    to_approved()
    pause_recording(hanako, at=now, actor="resident")
    clerk = Access("user:sato", "registry_clerk", "Window 3", "card")
    record_accesses(clerk, [hanako, other], what="page:cards", at=now)
    ask_why(hanako, AccessRecord.objects.get(resident_ref=hanako, actor="user:sato").pk, "Why?", at=now, actor="me")
    tell([other], "card_resumed", at=now)

    archive = taken(client)
    assert archive.testzip() is None
    contents = json.loads(archive.read("contents.json"))
    for table in TABLES:
        assert contents["rows"][table.name] == len(rows(archive, table.name))
        text = archive.read(f"{table.name}.csv").decode()
        assert text.startswith("\ufeff")  # so that Excel reads it
        assert len(list(csv.DictReader(io.StringIO(text[1:])))) == contents["rows"][table.name]
        assert contents["rows"][table.name] == table.model._default_manager.filter(**{table.whose: hanako}).count()
    assert rows(archive, "registration")[0]["name"] == "𠮷田 髙子"
    purchases = rows(archive, "purchases")
    assert [(row["kind"], row["amounts_minor"], row["shop"]) for row in purchases] == [
        ("sale", [55_000], "Shop"), ("return", [-22_000], "Shop"), ("hold", [-700], "Shop"), ("sale", [700], "Shop"),
    ]  # fmt: skip
    assert purchases[0]["at"] == "2017-08-01T10:00:00+09:00"
    assert [row["status"] for row in rows(archive, "purchases_not_counted")] == ["held"]
    assert rows(archive, "refunds")[0]["entitled_minor"] == 600
    assert rows(archive, "access_questions")[0]["words"] == "Why?"
    assert {row["kind"] for row in rows(archive, "messages")} >= {"refund_ready", "looked", "data_taken"}
    statement = json.loads(archive.read(f"statements/kanpu-statement-{YEAR}-1.json"))
    assert checked(statement, tmp_path) == 0
    everything = b"".join(archive.read(name) for name in archive.namelist()).decode()
    for foreign in (str(other), "鈴木", "sato"):
        assert foreign not in everything
    dictionary = list(csv.DictReader(io.StringIO(archive.read("dictionary.csv").decode("utf-8-sig"))))
    (shop,) = [row for row in dictionary if (row["file"], row["column"]) == ("purchases", "shop")]
    assert shop["en"] == "Company of the shop"
    assert not shop["ja"].isascii()


def test_the_vault_is_opened_on_record_and_the_resident_is_told(client: Client, hanako: UUID) -> None:
    page = shown(client, "/my-data")
    assert "Download all my data" in page
    assert not AccessRecord.objects.exists()
    taken(client)
    record = AccessRecord.objects.get()
    assert (record.role, record.purpose) == ("resident", "own page")
    assert "individual_number" not in record.what
    assert Message.objects.get().kind == "data_taken"
    assert client.get("/my-data/download").status_code == 405


def test_accounts_are_opened_on_record_and_what_is_only_proposed_is_not_told(client: Client, hanako: UUID) -> None:
    now = timezone.now()
    name_account(
        hanako, BankAccount("0001", "001", "1", "1234567", "ヤマダ ハナコ"), channel="portal", at=now, actor="resident"
    )
    Dispute.objects.create(
        resident_ref=hanako, kind="missing", tax_year=YEAR, shop="Shop", bought_at=now, amounts={"reduced": 100},
        opened_at=now, reply_due_date=timezone.localdate(), state="proposed", outcome="refused", reasons="No receipt.",
        office="Tokyo", proposed_by="user:ann", proposed_at=now,
    )  # fmt: skip
    archive = taken(client)
    (opened,) = rows(archive, "payment_accounts_opened")
    assert (opened["account_bank"], opened["account_number"]) == ("0001", "1234567")
    assert [row["id"] for row in rows(archive, "payment_accounts")] == [opened["id"]]
    assert AccessRecord.objects.filter(resident_ref=hanako, what="vault:account", role="resident").count() == 1
    assert [(row["shop"], row["outcome"], row["reasons"]) for row in rows(archive, "disputes")] == [("Shop", "", "")]
    assert "user:ann" not in b"".join(archive.read(name) for name in archive.namelist()).decode()


def test_who_acts_for_whom_is_in_both_files_without_the_others_reference(
    client: Client, hanako: UUID, world: World
) -> None:
    named(hanako, world.residents[1])
    archive = taken(client)
    assert [row["may_see"] for row in rows(archive, "proxies")] == [True]
    assert rows(archive, "acting") == []
    client.force_login(User.objects.get(username="taro"))
    theirs = taken(client)
    assert [row["may_pay"] for row in rows(theirs, "acting")] == [False]
    assert len(rows(theirs, "proxy_codes")) == 1
    assert str(hanako) not in b"".join(theirs.read(name) for name in theirs.namelist()).decode()


def test_a_protected_residents_address_is_not_in_a_file_that_gets_about(client: Client, hanako: UUID) -> None:
    Resident.objects.filter(pk=hanako).update(is_protected=True)
    archive = taken(client)
    assert rows(archive, "registration")[0]["address"] is None
    assert "address" not in AccessRecord.objects.get().what.split(",")


def test_who_has_nothing_gets_a_file_all_the_same(client: Client, hanako: UUID) -> None:
    Card.objects.filter(resident=hanako).delete()
    archive = taken(client)
    assert rows(archive, "purchases") == []
    assert archive.read("purchases.csv").decode("utf-8-sig").startswith("tax_year,terminal_id")
    assert not RecordingPause.objects.exists()
    assert not AccessQuestion.objects.exists()


def test_the_same_data_makes_the_same_bytes() -> None:
    def made() -> bytes:
        return b"".join(zipped(as_both("t", ["a", "b"], [[1, {"x": "é"}], [None, "=1+1"]], {})))

    assert made() == made()
    archive = ZipFile(io.BytesIO(made()))
    assert archive.read("t.csv").decode("utf-8-sig") == 'a,b\r\n1,"{""x"": ""é""}"\r\n,\'=1+1\r\n'
    assert json.loads(archive.read("t.json")) == [{"a": 1, "b": {"x": "é"}}, {"a": None, "b": "=1+1"}]
    assert [cell(value) for value in ("@x", "-5", -5, [1])] == ["'@x", "'-5", "-5", "[1]"]


def test_memory_stays_flat_however_many_rows_there_are() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        size = sum(len(part) for part in zipped(as_both("t", ["n", "x"], ([n, "x" * 50] for n in range(count)), {})))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert size
        return found

    assert peak(20_000) < peak(5_000) + 1_000_000


def test_the_file_takes_the_same_queries_however_much_was_bought(client: Client, hanako: UUID, till: RawTill) -> None:

    count(till, till.sale(hanako, at=on(1), reduced=55_000))
    taken(client)
    with CaptureQueriesContext(connection) as few:
        taken(client)
    count(till, *(till.sale(hanako, at=on(2), reduced=1_000) for _ in range(30)))
    with CaptureQueriesContext(connection) as many:
        assert len(rows(taken(client), "purchases")) == 31
    assert len(many) == len(few)
    assert Entry.objects.count() == 31


# --- statements ---


def test_statements_of_all_years_are_in_one_place(client: Client, hanako: UUID, till: RawTill) -> None:
    assert "There is no statement yet" in shown(client, "/statements")
    sale = till.sale(hanako, reduced=55_000)
    count(till, sale)
    to_approved()
    count(till, till.give_back(sale, reduced=22_000))
    to_approved()
    page = client.get("/statements", headers=EN).content.decode()
    assert page.index("Statement of 2017, run 2") < page.index("Statement of 2017, run 1")
    assert "the difference to the runs before" in page
    for run in (1, 2):
        for kind, start in (("pdf", b"%PDF"), ("json", b"{")):
            path = f"/year/2017/run/{run}/statement.{kind}"
            assert path in page
            assert client.get(path).content.startswith(start)
    assert "Signed by two auditors" in page
    assert "/kanpu_verify.pyz" in page


def test_another_residents_statements_are_not_there(client: Client, hanako: UUID, till: RawTill, world: World) -> None:
    count(till, till.sale(world.residents[1], reduced=55_000))
    to_approved()
    assert "There is no statement yet" in shown(client, "/statements")
