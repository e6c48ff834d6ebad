"""Born in June, moved in August, died in October: what counts, where the limits are pooled, and what the page says."""

from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from kanpu_pos import read_personalisation

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all
from apps.portal.models import Account
from apps.refunds.models import Member, Refund
from apps.refunds.queries.replays import replay
from apps.residents.models import Membership, Resident
from apps.residents.operations import Home, issue_cards, place_in_households, register_residents
from apps.schemes.models import TaxYear
from apps.schemes.operations import SHIPPED, load_scheme
from tests.pages import queries_of, shown
from tests.till import RawTill, send
from tests.world import World
from tests.year_end import YEAR, to_verified

pytestmark = pytest.mark.django_db(transaction=True)
A, B = UUID(int=0xA), UUID(int=0xB)
BIRTH, AFTER_DEATH = date(2017, 6, 10), date(2017, 10, 21)
NEW_YEAR, JUNE, AUGUST = date(2017, 1, 1), date(2017, 6, 1), date(2017, 8, 1)
# The child's purchases; 1/55 of each comes back.
BEFORE_BIRTH, FIRST_DAY, LAST_IN_A = "05-10", "06-10", "07-31"
FIRST_IN_B, SEPTEMBER, LAST_DAY, AFTER = "08-01", "09-15", "10-20", "10-21"


@pytest.fixture
def family(world: World, tmp_path: Path) -> dict[str, UUID]:
    """4,000 yen a member and year, pooled. The parents live in A until the end of July, then father and child in B."""
    content = yaml.safe_load((SHIPPED / "jp-2015.yaml").read_text())
    limit = {"per": "year", "for": "members", "cap": {"amount": 4000}, "reference": {"ja": "—", "en": "—"}}
    content["refund"] |= {"limits": [limit]}
    (tmp_path / "scheme.yaml").write_text(yaml.safe_dump(content, allow_unicode=True))
    version, _ = load_scheme(tmp_path / "scheme.yaml", at=timezone.now(), actor="test")
    TaxYear.objects.update(scheme_version=version)
    mother, father = world.residents
    (born,) = register_residents([BIRTH], at=timezone.now(), actor="test")
    issue_cards(tmp_path / "child.csv", valid_from=NEW_YEAR, at=timezone.now(), actor="test")
    (card,) = read_personalisation(tmp_path / "child.csv")
    child = born.ref
    world.cards[child] = card.card()
    Resident.objects.filter(pk=child).update(resident_to=AFTER_DEATH)
    homes = [
        Home(mother, A, NEW_YEAR, is_head=True),
        Home(father, A, NEW_YEAR, AUGUST),
        Home(father, B, AUGUST, is_head=True),
        Home(child, A, JUNE, AUGUST, payee_ref=mother),
        Home(child, B, AUGUST, payee_ref=father),
    ]
    place_in_households(homes, at=timezone.now(), actor="test")
    return {"mother": mother, "father": father, "child": child}


def buy(world: World, family: dict[str, UUID]) -> None:
    """All purchases of the year, and what workers make of them."""
    bought = [
        *(("child", day, amount) for day, amount in (
            (BEFORE_BIRTH, 55_000), (FIRST_DAY, 55_000), (LAST_IN_A, 33_000),
            (FIRST_IN_B, 110_000), (SEPTEMBER, 55_000), (LAST_DAY, 22_000), (AFTER, 55_000),
        )),
        ("mother", "03-01", 440_000), ("father", "02-01", 220_000), ("father", "10-01", 220_000),
    ]  # fmt: skip
    till = RawTill(world)
    send(till, *(till.sale(family[who], at=f"2017-{day}T12:00:00+09:00", reduced=yen) for who, day, yen in bought))
    count_all()


@pytest.fixture
def settled(world: World, family: dict[str, UUID]) -> dict[str, UUID]:
    """The year is assessed and verified: both ways agree, or it would raise."""
    buy(world, family)
    to_verified()
    return family


def test_each_purchase_counts_once_in_its_household_and_none_outside_residence(settled: dict[str, UUID]) -> None:
    """By hand.

    Limits: the mother brings A 4,000. The father was 7 of 12 months in A: ⌊4,000 × 7/12⌋ = 2,333, and brings B the
    other 1,667. The child was resident from June to October, 2 of 5 months in A: ⌊4,000 × 2/5⌋ = 1,600, and brings
    B 2,400. So A may have 7,933 and B 4,067.
    Brought to A: 8,000 + 4,000 + (55,000 + 33,000) / 55 = 1,600 of the child, 13,600 together, above 7,933:
    mother 7,933 × 10/17 = 4,666 8/17, father × 5/17 = 2,333 4/17, child × 2/17 = 933 5/17; the yen left over: mother.
    Brought to B: 4,000 + (110,000 + 55,000 + 22,000) / 55 = 3,400 of the child, 7,400 together, above 4,067:
    father 4,067 × 20/37 = 2,198 14/37, child × 17/37 = 1,868 23/37; the yen left over: child.
    """
    found = dict(Refund.objects.values_list("resident_ref", "entitled_minor"))
    assert found == {
        settled["mother"]: 4_667,
        settled["father"]: 2_333 + 2_198,
        settled["child"]: 933 + 1_869,
    }
    assert sum(found.values()) == 7_933 + 4_067
    days = Entry.objects.filter(resident_ref=settled["child"]).values_list("at__date", flat=True)
    assert [f"{day:%m-%d}" for day in sorted(days)] == [FIRST_DAY, LAST_IN_A, FIRST_IN_B, SEPTEMBER, LAST_DAY]
    for ref in settled.values():
        assert replay(ref, YEAR).identical


def test_the_childs_share_is_the_registered_parents_to_receive(settled: dict[str, UUID]) -> None:
    payees = Member.objects.filter(resident_ref=settled["child"]).values_list("payee_ref", flat=True)
    assert set(payees) == {settled["father"]}
    assert not Member.objects.exclude(resident_ref=settled["child"]).exclude(payee_ref=None).exists()


def sign_up(client: Client, name: str, ref: UUID) -> Client:
    user = User.objects.create_user(name)
    Account.objects.create(user=user, resident_ref=ref)
    client.force_login(user)
    return client


CHILD_EN = (
    "You were resident from June 10, 2017 to Oct. 20, 2017, both days included.",
    "June to July: household A, 3 members",
    "To that limit you brought ¥1,600 of your ¥4,000, by months.",
    "August to October: household B, 2 members",
    "To that limit you brought ¥2,400 of your ¥4,000, by months.",
    "Your share is paid to the parent who is registered for you.",
)
CHILD_JA = (
    "2017年6月10日から2017年10月20日まで",
    "6月から7月まで：世帯A（3人）",
    "4,000円のうち1,600円",
    "8月から10月まで：世帯B（2人）",
    "4,000円のうち2,400円",
    "登録されている親に支払われます",
)


def test_the_page_explains_the_parts_before_the_run_and_after_it(
    client: Client, world: World, family: dict[str, UUID]
) -> None:
    buy(world, family)
    sign_up(client, "child", family["child"])
    for step in (lambda: None, to_verified):
        step()
        for language, texts in (("en", CHILD_EN), ("ja", CHILD_JA)):
            page = shown(client, f"/year/{YEAR}", language=language)
            for words in texts:
                assert words in page
    assert "June to July: household A, 3 members" in shown(client, f"/year/{YEAR}/run/1")


def test_the_fathers_page_says_where_he_lived_and_whose_share_he_is_paid(
    client: Client, settled: dict[str, UUID]
) -> None:
    page = shown(sign_up(client, "father", settled["father"]), f"/year/{YEAR}")
    for words in (
        "January to July: household A, 3 members",
        "you brought ¥2,333 of your ¥4,000",
        "August to December: household B, 2 members",
        "you brought ¥1,667 of your ¥4,000",
        "The share of 1 child is paid to you as the registered parent.",
    ):
        assert words in page
    assert "You were resident" not in page


def test_a_settled_year_is_explained_by_the_register_as_it_was_then(client: Client, settled: dict[str, UUID]) -> None:
    sign_up(client, "father", settled["father"])
    Membership.objects.filter(resident=settled["father"], household_ref=B).update(household_ref=A, is_head=False)
    assert "August to December: household B, 2 members" in shown(client, f"/year/{YEAR}")
    Refund.objects.all().delete()
    assert "January to December: household A, 3 members" in shown(client, f"/year/{YEAR}")


def test_who_lived_here_all_year_alone_is_told_nothing_of_parts(client: Client, world: World) -> None:
    page = shown(sign_up(client, "loner", world.residents[0]), f"/year/{YEAR}")
    assert "in parts" not in page


def test_parts_cost_a_fixed_number_of_queries(client: Client, settled: dict[str, UUID]) -> None:
    costs: list[Any] = [queries_of(sign_up(client, name, ref), f"/year/{YEAR}") for name, ref in settled.items()]
    assert len(set(costs)) == 1
