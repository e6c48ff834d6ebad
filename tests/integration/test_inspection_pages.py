"""Auditors' pages about merchants, returns and samples, and the merchant's own address: what they say and to whom."""

from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit.models import AccessRecord
from apps.audit.officers import Role
from apps.inspections.models import Case, Declaration, Sample
from apps.inspections.operations.drawing import draw_requested
from apps.inspections.operations.refreshing import refresh_year
from apps.merchants.models import ApiKey, Merchant, Store
from apps.residents.models import Resident
from tests.offices import officer
from tests.pages import queries_of, sent, shown, state_purpose
from tests.till import RawTill, send
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
YEAR = 2017
NUMBER = "T7000012050002"
ASKED = {
    "title": "Spring", "method": "attribute", "population": "purchases", "year": YEAR, "confidence": 95,
    "tolerable_rate": "9", "expected_rate": "2",
}  # fmt: skip


@pytest.fixture
def shop(world: World) -> Merchant:
    till = RawTill(world)
    for number, amount in enumerate((1_080, 2_160, 990)):
        till.sale(world.residents[number % 2], reduced=amount)
    till.close(reduced=4_230)
    send(till, *till.records, now=datetime(YEAR, 8, 3, 12, tzinfo=UTC))
    count_all()
    refresh_year(YEAR, now=timezone.now())
    Merchant.objects.filter(name="Shop").update(registration_number=NUMBER)
    return Merchant.objects.get(name="Shop")


@pytest.fixture
def ann(client: Client) -> Client:
    client.force_login(officer("ann", Role.AUDITOR))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def drawn(ann: Client) -> Sample:
    assert ann.post("/console/samples/new", ASKED).status_code == 302
    assert draw_requested() == 1
    return Sample.objects.get()


def get(path: str, key: str) -> tuple[int, dict]:  # type: ignore[type-arg]
    answer = Client().get(path, headers={"authorization": f"Bearer {key}", "accept-language": "en"})
    return answer.status_code, answer.json()


def test_a_merchants_own_key_reads_its_completeness(world: World, shop: Merchant) -> None:
    status, found = get(f"/v1/completeness?year={YEAR}", world.api_key)
    assert (status, found["merchant"], found["score_permille"]) == (200, shop.pk, 1000)
    assert [(share["name"], share["good"], share["all"]) for share in found["shares"]] == [
        ("numbers", 4, 4), ("in_time", 4, 4), ("closings", 1, 1),
    ]  # fmt: skip
    assert get("/v1/completeness", world.api_key) == (status, found)
    assert [month["closings"]["agree"] for month in found["months"]] == [1]


def test_another_merchants_counts_are_not_there(world: World, shop: Merchant) -> None:
    assert get(f"/v1/completeness?merchant={shop.pk}", world.rival_key)[0] in (403, 404)
    assert get("/v1/completeness", world.rival_key)[0] == 404  # nothing was counted of it
    assert get("/v1/completeness?year=x", world.api_key)[0] == 400
    assert get("/v1/completeness?year=999999999", world.api_key)[0] == 404


def test_a_key_of_one_store_is_not_told_of_the_others(world: World, shop: Merchant) -> None:
    ApiKey.objects.get(merchant=shop).stores.add(Store.objects.filter(merchant=shop).first())  # type: ignore[arg-type]
    status, found = get("/v1/completeness", world.api_key)
    assert (status, found["error"]["code"]) == (403, "merchant_not_yours")


def test_an_item_is_read_for_a_purpose_and_that_is_on_record_first(ann: Client, shop: Merchant, world: World) -> None:
    sample = drawn(ann)
    path = f"/console/samples/{sample.pk}/items/1"
    assert ann.get(path)["Location"].startswith("/console/purpose/")
    assert ann.post(path, {"result": "correct"})["Location"].startswith("/console/purpose/")
    for ref in world.residents:
        state_purpose(ann, ref)
    assert not AccessRecord.objects.filter(what__startswith="sample").exists()
    assert "What the shop sent" in shown(ann, path)
    assert AccessRecord.objects.filter(what=f"sample {sample.pk}/1", purpose="check").count() == 1
    assert "Item 2 of 3" in sent(ann, path, result="correct")
    assert sample.items.get(position=1).decided_by == "user:ann"
    assert "Somebody found something of this item before" in sent(ann, path, result="deviation")
    assert "It is taken back" in sent(ann, f"{path}/undo")
    assert sample.items.get(position=1).result == ""


def test_a_protected_residents_item_is_for_named_officers(ann: Client, shop: Merchant, world: World) -> None:
    sample = drawn(ann)
    for ref in world.residents:
        state_purpose(ann, ref)
    Resident.objects.update(is_protected=True)
    text = sent(ann, f"/console/samples/{sample.pk}/items/1", result="correct")
    assert "an officer for protected residents has to look at it" in text
    assert sample.items.get(position=1).result == ""


def test_the_list_of_items_names_no_resident(ann: Client, shop: Merchant, world: World) -> None:
    text = shown(ann, f"/console/samples/{drawn(ann).pk}")
    assert "0 of 3 items looked at" in text
    assert not any(str(ref) in text or ref.hex in text for ref in world.residents)


def test_a_form_says_what_is_missing(ann: Client, shop: Merchant) -> None:
    assert "This method needs it." in sent(ann, "/console/samples/new", **(ASKED | {"method": "monetary"}))
    assert "well below what is tolerated" in sent(ann, "/console/samples/new", **(ASKED | {"expected_rate": "9"}))
    narrowed = ASKED | {"population": "refunds", "tier": "reduced"}
    assert "Refunds cannot be narrowed by this" in sent(ann, "/console/samples/new", **narrowed)
    assert not Sample.objects.exists()


def test_returns_are_checked_and_kept_by_the_page_and_a_case_is_opened(ann: Client, shop: Merchant) -> None:
    rows = (
        f"registration_number,from,to,sales_at_10\n{NUMBER},{YEAR}-07-01,{YEAR}-09-30,100\nT1,2017-01-01,2017-03-31,1\n"
    )
    for how, kept in (("try", 0), ("take", 1)):
        file = SimpleUploadedFile("returns.csv", rows.encode())
        text = sent(ann, "/console/declarations/import", file=file, how=how)
        assert "A registration number is T and 13 digits." in text
        assert Declaration.objects.count() == kept
    text = shown(ann, f"/console/declarations?year={YEAR}")
    assert "¥3,845" in text  # 4,230 with 10 % tax
    declared = Declaration.objects.get()
    for _ in range(2):
        assert "A case is open" in sent(ann, f"/console/declarations/{declared.pk}/case")
    case = Case.objects.get()
    assert (case.source, case.source_id, case.subject) == ("declaration", declared.pk, f"merchant:{shop.pk}")


def test_pages_take_the_same_queries_however_many_merchants_there_are(ann: Client, shop: Merchant) -> None:
    paths = (f"/console/merchants?year={YEAR}", f"/console/merchants/{shop.pk}", f"/console/amounts?year={YEAR}")
    before = [queries_of(ann, path) for path in paths]
    for number in range(60):
        Merchant.objects.create(name=f"M{number}", created_at=timezone.now())
    with_more = [queries_of(ann, path) for path in paths]
    assert with_more == before
    assert max(before) < 25
