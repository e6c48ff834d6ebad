"""A till and the real server: enrolling, a broken disk, an old copy, and closings that agree."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone
from kanpu_pos import ApiError, ChainError, Client, EnrolmentError, Outcome, Till
from kanpu_pos.store import Store

from apps.accruals.operations.counting import count_all
from apps.audit.models import Alarm
from apps.merchants.models import EnrolmentCode, Terminal
from apps.merchants.operations import issue_enrolment_code
from tests.world import TEST_TERMINAL, World

LINES = (("reduced", 1080), ("standard", 550))

pytestmark = pytest.mark.django_db(transaction=True)

Open = Callable[[str], Till]


@pytest.fixture
def client(world: World, web: str) -> Iterator[Client]:
    with Client(web, world.test_key, timeout_s=10) as opened:
        yield opened


@pytest.fixture
def new_till(client: Client, tmp_path: Path) -> Iterator[Open]:
    """Open a till by the name of its file; all are closed in the end."""
    tills = []

    def open_till(name: str) -> Till:
        tills.append(Till(tmp_path / name, terminal=TEST_TERMINAL, client=client))
        return tills[-1]

    yield open_till
    for till in tills:
        till.close()


def new_code() -> str:
    terminal = Terminal.objects.get(code=TEST_TERMINAL)
    return issue_enrolment_code(terminal.pk, at=timezone.now(), actor="test").enrolment_code


def counted(client: Client) -> dict[int, Outcome]:
    count_all()
    return {outcome.seq: outcome for outcome in client.purchases(TEST_TERMINAL)}


def test_an_enrolled_till_seals_and_its_closing_agrees(world: World, client: Client, new_till: Open) -> None:
    till = new_till("till.db")
    till.enrol(new_code())
    assert client.terminal(TEST_TERMINAL).sealed
    card = world.cards[world.test_resident]
    assert till.sell(LINES, card=card).with_card
    till.sell(LINES, claim=True)
    till.sell((("unheard_of", 5),))
    back = till.return_goods((TEST_TERMINAL, 1), (("reduced", 80),))
    till.correct(1, (("reduced", 980), ("standard", 550)))
    till.correct(back, (("reduced", 70),))
    till.void(2)
    till.unused(till.reserve())
    till.close_day()
    assert till.send().count == 9
    assert till.status().rejected[0][:2] == (3, "tier_unknown")
    outcomes = counted(client)
    assert [outcomes[seq].status for seq in (1, 2, 3, 4)] == ["counted", "voided", "rejected", "counted"]
    assert (outcomes[4].of, outcomes[4].lines, outcomes[3].code) == (
        (TEST_TERMINAL, 1),
        (("reduced", 80),),
        "tier_unknown",
    )
    assert client.terminal(TEST_TERMINAL).closing_agrees is True
    assert not Alarm.objects.exists()


def test_a_broken_disk_costs_what_was_not_sent_and_nothing_else(client: Client, new_till: Open) -> None:
    broken = new_till("broken.db")
    broken.enrol(new_code())
    for _ in range(3):
        broken.sell(LINES)
    broken.return_goods((TEST_TERMINAL, 1), (("reduced", 80),))
    broken.send()
    broken.sell(LINES)  # never sent
    till = new_till("new.db")
    till.enrol(new_code())
    till.void(2)
    till.return_goods((TEST_TERMINAL, 1), (("reduced", 1000),))
    till.correct(3, (("standard", 5),))
    closing = till.close_day()
    assert (closing.seq, dict(closing.totals)) == (8, {"standard": 555})
    assert till.send().rejected == 0
    assert {outcome.status for outcome in counted(client).values()} == {"counted", "voided"}
    assert client.terminal(TEST_TERMINAL).closing_agrees is True
    assert list(Alarm.objects.values_list("kind", flat=True)) == ["terminal_rekeyed"]
    broken.sell(LINES)
    with pytest.raises(ChainError, match="start a new one"):
        broken.send()  # somebody found the old disk


def test_a_first_key_comes_after_what_was_sold_without_one(client: Client, new_till: Open) -> None:
    till = new_till("till.db")
    for _ in range(3):
        till.sell(LINES)
    till.enrol(new_code())
    till.sell(LINES)
    till.close_day()
    assert till.send().count == 2
    count_all()
    seen = client.terminal(TEST_TERMINAL)
    assert (seen.next_seq, seen.sealed, seen.closing_agrees) == (6, True, True)


def test_a_used_code_changes_nothing(new_till: Open) -> None:
    code = new_code()
    new_till("first.db").enrol(code)
    till = new_till("second.db")
    with pytest.raises(ApiError) as caught:
        till.enrol(code)
    assert caught.value.code == "enrolment_code_invalid"
    assert not till.status().sealed


def test_an_enrolment_that_was_cut_off_is_taken_up_with_the_same_code(
    client: Client, new_till: Open, tmp_path: Path
) -> None:
    till, code = new_till("till.db"), new_code()
    with pytest.raises(ApiError):
        till.enrol("0" * 26)
    store = Store(tmp_path / "till.db")
    pending = store.setting("pending_key")
    store.close()
    assert pending is not None
    public_key = Ed25519PrivateKey.from_private_bytes(pending).public_key().public_bytes_raw()
    client.register_key(TEST_TERMINAL, enrolment_code=code, public_key=public_key)  # and the till never heard of it
    till.enrol(code)
    till.sell(LINES)
    assert till.send().count == 1


def test_an_old_copy_of_the_file_is_stopped_and_costs_no_code(new_till: Open, tmp_path: Path) -> None:
    till = new_till("till.db")
    till.enrol(new_code())
    till.sell(LINES)
    till.send()
    till.close()
    shutil.copy(tmp_path / "till.db", tmp_path / "copy.db")
    till = new_till("till.db")
    till.sell(LINES)
    till.send()
    copy, code = new_till("copy.db"), new_code()
    copy.sell((("reduced", 7),))
    with pytest.raises(ChainError):
        copy.send()
    with pytest.raises(EnrolmentError, match="goes on at record 2, the server at 3"):
        copy.enrol(code)
    assert EnrolmentCode.objects.filter(used_at=None).count() == 1
    assert Alarm.objects.filter(kind="chain_fork").exists()


def test_a_back_office_enrols_its_terminals(client: Client) -> None:
    wanted = [{"code": "tokyo-7", "store": "Kanda"}, {"code": "UPPER", "store": "Kanda"}]
    enrolled, refused = client.enrol_terminals(wanted)
    assert (enrolled.code, enrolled.status, refused.status) == ("tokyo-7", "enrolled", "rejected")
    assert enrolled.enrolment_code is not None
    assert refused.error_code
    assert client.enrol_terminals(wanted[:1])[0].status == "exists"
    assert client.enrolment_code("tokyo-7") != enrolled.enrolment_code
    assert client.terminal("tokyo-7").next_seq == 1


def test_tiers_and_test_cards_are_what_the_server_has(client: Client) -> None:
    tiers = client.tiers(timezone.localdate().replace(month=1, day=1))
    assert (tiers.currency, str(tiers.collected), sorted(tiers.tiers)) == ("JPY", "1/10", ["reduced", "standard"])
