"""Which account a refund goes to at a time: the cooling-off, reviews, consents, keys, erasure, two at once."""

import threading
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction
from psycopg.types.range import TimestamptzRange

from apps.audit.models import AccessRecord, Event
from apps.residents.accounts.holder import HolderCheck
from apps.residents.acting import PAYMENT
from apps.residents.models import CardSuspension, Message, PaymentAccount, VaultRecord
from apps.residents.operations.accounts import (
    COOLING_OFF,
    AccountMissing,
    NotUnderReview,
    ResidentErased,
    ReviewedByAsker,
    consent_to_public_account,
    review_account,
    undo_change,
    withdraw_consent,
)
from apps.residents.operations.erasing import erase_resident
from apps.residents.operations.proxies import end_proxy
from apps.residents.queries.accounts import (
    Hold,
    account_for_payment,
    accounts_of,
    accounts_to_review,
    open_accounts,
)
from apps.residents.vault.contents import Account
from apps.residents.vault.sealing import VaultDamaged
from tests import dump
from tests.accounts import DAY, MIZUHO, NAMED, POST, STRANGERS, name
from tests.acting import IN_PORTAL, named
from tests.rotation import rotate, statuses
from tests.vault import DESK, enter
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
PORTAL = CardSuspension.Channel.PORTAL
Reason = PaymentAccount.Reason
SECOND = timedelta(seconds=1)


def goes_to(ref: UUID, at: datetime) -> Account | str:
    """The account that a refund is paid to at a time, or why it is not paid."""
    found = account_for_payment([ref], at)[ref]
    if found.hold:
        return found.hold.value
    if found.account_id is None or found.kind == "public":
        return found.kind
    return open_accounts([found.account_id], access=DESK, at=at)[found.account_id]


def consent(ref: UUID, *, at: datetime) -> PaymentAccount:
    return consent_to_public_account(ref, channel=PORTAL, at=at, actor="resident")


def told(ref: UUID) -> list[str]:
    """What the resident was told of the account, beside that somebody looked."""
    messages = Message.objects.filter(resident_ref=ref).exclude(kind="looked").order_by("pk")
    return list(messages.values_list("kind", flat=True))


def test_the_first_account_holds_at_once_and_before_it_there_is_none(ref: UUID) -> None:
    name(ref)
    assert goes_to(ref, NAMED - SECOND) == "missing"
    assert goes_to(ref, NAMED) == goes_to(ref, NAMED + 900 * DAY) == MIZUHO


def test_a_change_holds_after_the_cooling_off_and_until_then_the_old_account_does(ref: UUID) -> None:
    name(ref)
    changed = NAMED + 30 * DAY
    name(ref, POST, at=changed)
    assert timedelta(days=3) == COOLING_OFF
    assert goes_to(ref, changed) == goes_to(ref, changed + 3 * DAY - SECOND) == MIZUHO
    assert goes_to(ref, changed + 3 * DAY) == POST
    found = accounts_of(ref, at=changed)
    assert [row.state_at(changed) for row in found.rows] == ["pending", "active"]
    assert [row.state_at(changed + 3 * DAY) for row in found.rows] == ["active", "ended"]
    assert told(ref) == ["account_changed"] * 2


def test_a_change_that_is_undone_never_was(ref: UUID) -> None:
    name(ref)
    name(ref, STRANGERS, at=NAMED + DAY)
    undo_change(ref, at=NAMED + 2 * DAY, actor="resident")
    assert goes_to(ref, NAMED + 90 * DAY) == MIZUHO
    assert told(ref) == ["account_changed"] * 3
    with pytest.raises(AccountMissing):
        undo_change(ref, at=NAMED + 2 * DAY, actor="resident")


def test_what_holds_already_cannot_be_undone(ref: UUID) -> None:
    name(ref)
    name(ref, POST, at=NAMED + DAY)
    with pytest.raises(AccountMissing):
        undo_change(ref, at=NAMED + 4 * DAY, actor="resident")
    assert goes_to(ref, NAMED + 4 * DAY) == POST


def test_another_change_takes_the_place_of_the_one_that_waits_and_waits_anew(ref: UUID) -> None:
    name(ref)
    name(ref, STRANGERS, at=NAMED + DAY)
    name(ref, POST, at=NAMED + 3 * DAY)
    assert goes_to(ref, NAMED + 4 * DAY) == goes_to(ref, NAMED + 6 * DAY - SECOND) == MIZUHO
    assert goes_to(ref, NAMED + 6 * DAY) == POST
    at = NAMED + 3 * DAY
    assert [row.state_at(at) for row in accounts_of(ref, at=at).rows] == ["pending", "withdrawn", "active"]


# --- the holder's name ---


def test_a_name_that_differs_is_taken_and_waits_for_a_clerk(ref: UUID) -> None:
    named = name(ref, STRANGERS)
    assert named.holder_check == HolderCheck.DIFFERS
    assert goes_to(ref, NAMED) == "under_review"
    assert list(accounts_to_review(at=NAMED, page=None)) == [named]
    review_account(ref, named.pk, reason=Reason.DOCUMENT, at=NAMED + DAY, actor="user:ann")
    assert goes_to(ref, NAMED + DAY) == STRANGERS
    assert list(accounts_to_review(at=NAMED + DAY, page=None)) == []
    assert told(ref) == ["account_changed", "account_reviewed"]
    event = Event.objects.get(action="account.review")
    assert (event.actor, event.subject, event.detail["check"]) == ("user:ann", f"resident:{ref}", "reviewed_ok")


def test_an_account_in_the_name_of_who_may_pay_goes_to_review_whoever_names_it(ref: UUID, world: World) -> None:
    proxy = world.residents[1]
    enter(proxy, number="123456789018", kana="ワルイ タロウ")
    granted = named(ref, proxy, PAYMENT, at=NAMED)
    assert name(ref, STRANGERS, at=NAMED, actor="proxy:7").holder_check == HolderCheck.DIFFERS
    assert name(ref, STRANGERS, at=NAMED).holder_check == HolderCheck.DIFFERS
    assert name(ref, MIZUHO, at=NAMED, actor="proxy:7").holder_check == HolderCheck.MATCHES
    VaultRecord.objects.filter(pk=proxy).delete()
    enter(proxy, number="123456789018", kana="ヨシダ ハナコ")  # of the same name: it may be the proxy's own account
    assert name(ref, MIZUHO, at=NAMED).holder_check == HolderCheck.DIFFERS
    end_proxy(ref, granted.pk, asked=IN_PORTAL, at=NAMED + DAY)
    assert name(ref, MIZUHO, at=NAMED + DAY).holder_check == HolderCheck.MATCHES


def test_a_change_under_review_leaves_the_old_account_while_it_cools_off_then_holds_back_the_money(ref: UUID) -> None:
    name(ref)
    changed = name(ref, STRANGERS, at=NAMED + DAY)
    assert goes_to(ref, NAMED + 2 * DAY) == MIZUHO
    assert goes_to(ref, NAMED + 4 * DAY) == "under_review"
    review_account(ref, changed.pk, reason=Reason.OTHER_PERSON, at=NAMED + 9 * DAY, actor="user:ann")
    assert goes_to(ref, NAMED + 9 * DAY) == MIZUHO  # as if it had not been named
    with pytest.raises(NotUnderReview):
        review_account(ref, changed.pk, reason=Reason.DOCUMENT, at=NAMED + 10 * DAY, actor="user:ann")


def test_a_refused_account_gives_its_time_back_even_when_another_follows_it(ref: UUID) -> None:
    name(ref)
    wrong = name(ref, STRANGERS, at=NAMED + DAY)
    name(ref, POST, at=NAMED + 10 * DAY)
    review_account(ref, wrong.pk, reason=Reason.UNCLEAR, at=NAMED + 11 * DAY, actor="user:ann")
    assert goes_to(ref, NAMED + 12 * DAY) == MIZUHO
    assert goes_to(ref, NAMED + 13 * DAY) == POST


def test_after_a_first_account_that_was_refused_the_next_holds_at_once(ref: UUID) -> None:
    wrong = name(ref, STRANGERS)
    review_account(ref, wrong.pk, reason=Reason.OTHER_PERSON, at=NAMED + DAY, actor="user:ann")
    assert goes_to(ref, NAMED + DAY) == "missing"
    name(ref, at=NAMED + 2 * DAY)
    assert goes_to(ref, NAMED + 2 * DAY) == MIZUHO


def test_who_entered_an_account_does_not_review_it(ref: UUID) -> None:
    named = name(ref, STRANGERS, actor="user:ann")
    with pytest.raises(ReviewedByAsker):
        review_account(ref, named.pk, reason=Reason.DOCUMENT, at=NAMED + DAY, actor="user:ann")
    for forged in ({"reviewed_by": "user:ann"}, {"reviewed_by": "user:ben", "review_reason": "unclear"}):
        given = {"reviewed_at": NAMED, "reviewed_by": "user:ben", "review_reason": "document"} | forged
        with pytest.raises(IntegrityError, match="account_reviewed_by_another"):
            PaymentAccount.objects.filter(pk=named.pk).update(holder_check=HolderCheck.REVIEWED_OK, **given)
    assert goes_to(ref, NAMED + DAY) == "under_review"


def test_an_account_is_not_reviewed_as_anothers_nor_when_it_is_over(ref: UUID, world: World) -> None:
    named = name(ref, STRANGERS)
    with pytest.raises(NotUnderReview):
        review_account(world.residents[1], named.pk, reason=Reason.DOCUMENT, at=NAMED, actor="user:ann")
    name(ref, POST, at=NAMED + DAY)
    assert list(accounts_to_review(at=NAMED + 5 * DAY, page=None)) == []
    with pytest.raises(NotUnderReview):
        review_account(ref, named.pk, reason=Reason.DOCUMENT, at=NAMED + 5 * DAY, actor="user:ann")


def test_of_whom_the_register_has_no_names_every_account_is_reviewed(world: World) -> None:
    assert name(world.residents[1]).holder_check == HolderCheck.DIFFERS


# --- the public account ---


def test_a_consent_keeps_nothing_but_itself_and_can_be_withdrawn_at_once(ref: UUID) -> None:
    row = consent(ref, at=NAMED)
    assert (row.content, row.key_version, row.requested_at) == (None, None, NAMED)
    assert goes_to(ref, NAMED) == "public"
    withdraw_consent(ref, at=NAMED + DAY, actor="resident")
    assert goes_to(ref, NAMED + DAY) == "missing"
    with pytest.raises(AccountMissing):
        withdraw_consent(ref, at=NAMED + DAY, actor="resident")
    name(ref, at=NAMED + 2 * DAY)
    assert goes_to(ref, NAMED + 2 * DAY) == "missing"  # it is not the first any more
    assert goes_to(ref, NAMED + 5 * DAY) == MIZUHO


def test_a_consent_takes_the_place_of_an_account_after_the_cooling_off(ref: UUID) -> None:
    name(ref)
    consent(ref, at=NAMED + DAY)
    assert goes_to(ref, NAMED + 2 * DAY) == MIZUHO
    assert goes_to(ref, NAMED + 4 * DAY) == "public"


# --- paying ---


def test_the_accounts_of_many_take_one_query_and_everybody_has_an_answer(
    ref: UUID, world: World, django_assert_num_queries: object
) -> None:
    name(ref)
    two = world.residents[1]
    with django_assert_num_queries(1):  # type: ignore[operator]
        found = account_for_payment(world.residents, NAMED)
    assert (found[ref].hold, found[two].hold, found[two].account_id) == (None, Hold.MISSING, None)


def test_what_a_payment_recorded_says_the_same_account_for_good(ref: UUID) -> None:
    name(ref)
    recorded = account_for_payment([ref], NAMED)[ref].account_id
    assert recorded
    name(ref, POST, at=NAMED + DAY)
    later = NAMED + 30 * DAY
    assert open_accounts([recorded], access=DESK, at=later) == {recorded: MIZUHO}
    assert account_for_payment([ref], later)[ref].account_id != recorded


def test_who_opens_an_account_is_on_record_first_and_never_inside_a_transaction(ref: UUID) -> None:
    named = name(ref)
    with pytest.raises(RuntimeError), transaction.atomic():
        open_accounts([named.pk], access=DESK, at=NAMED)
    assert not AccessRecord.objects.exists()
    open_accounts([named.pk], access=DESK, at=NAMED)
    record = AccessRecord.objects.get()
    assert (record.resident_ref, record.what, record.actor) == (ref, "vault:account", "helen")


def test_a_dump_of_everything_has_no_account(ref: UUID) -> None:
    name(ref)
    name(ref, STRANGERS, at=NAMED + DAY)
    secrets = {MIZUHO.number, STRANGERS.number, STRANGERS.holder, MIZUHO.holder}
    assert not dump.found_in(dump.database(), secrets)


# --- keys, erasure, races ---


def test_accounts_move_to_a_new_key_and_open_under_it(ref: UUID) -> None:
    name(ref)
    name(ref, POST, at=NAMED + DAY)
    consent(ref, at=NAMED + 10 * DAY)
    before = statuses()["vault 1"]["rows"]
    assert rotate("vault")["damaged"] == []
    assert (statuses()["vault 1"]["rows"], statuses()["vault 2"]["rows"]) == (0, before)
    versions = PaymentAccount.objects.order_by("requested_at").values_list("key_version", flat=True)
    assert list(versions) == [2, 2, None]
    assert goes_to(ref, NAMED + DAY) == MIZUHO
    assert goes_to(ref, NAMED + 4 * DAY) == POST


def test_an_account_that_was_put_into_anothers_row_does_not_open_and_is_left_where_it_is(
    ref: UUID, world: World
) -> None:
    mine, theirs = name(ref), name(world.residents[1], STRANGERS)
    PaymentAccount.objects.filter(pk=mine.pk).update(content=theirs.content)
    with pytest.raises(SystemExit):  # it says which, and is not done
        rotate("vault")
    versions = PaymentAccount.objects.in_bulk([mine.pk, theirs.pk])
    assert (versions[mine.pk].key_version, versions[theirs.pk].key_version) == (1, 2)
    with pytest.raises(VaultDamaged):
        goes_to(ref, NAMED)


def test_who_is_erased_has_no_account_in_any_row_and_can_name_none(ref: UUID) -> None:
    name(ref)
    name(ref, POST, at=NAMED + DAY)
    erase_resident(ref, reason="asked for", at=NAMED + 2 * DAY, actor="test")
    assert list(PaymentAccount.objects.values_list("content", "key_version")) == [(None, None)] * 2
    assert goes_to(ref, NAMED + 2 * DAY) == goes_to(ref, NAMED + 9 * DAY) == "missing"
    with pytest.raises(ResidentErased):
        name(ref, at=NAMED + 3 * DAY)


def test_of_two_changes_at_once_one_waits_and_the_other_is_undone(ref: UUID) -> None:
    name(ref)
    failed: list[BaseException] = []

    def change(account: Account) -> None:
        try:
            name(ref, account, at=NAMED + DAY)
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=change, args=(account,)) for account in (POST, STRANGERS, MIZUHO, POST)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    states = sorted(row.state_at(NAMED + DAY) for row in PaymentAccount.objects.all())
    assert states == ["active", "pending", "withdrawn", "withdrawn", "withdrawn"]


def test_the_database_takes_no_two_accounts_for_one_time(ref: UUID) -> None:
    named = name(ref)
    for valid in (TimestamptzRange(NAMED, None), TimestamptzRange(NAMED + DAY, NAMED + 2 * DAY)):
        copy = PaymentAccount(
            resident_id=ref, kind="public", valid=valid, requested_at=NAMED, requested_by="x", channel="portal"
        )
        with pytest.raises(IntegrityError, match="one_account_at_a_time"):
            copy.save(force_insert=True)
    for column, value in (
        ("channel", "phone"), ("kind", "public"), ("holder_check", ""), ("key_version", None),
        ("requested_at", NAMED + DAY),
    ):  # fmt: skip
        with pytest.raises(IntegrityError):
            PaymentAccount.objects.filter(pk=named.pk).update(**{column: value})
