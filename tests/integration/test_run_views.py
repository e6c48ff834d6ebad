"""The pages of runs and refunds: who may see and do what, what errors say, what pages cost."""

import json
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, reverse
from django.utils import timezone
from pypdf import PdfReader

from apps.accruals.models import Total
from apps.audit.models import AccessRecord, Event
from apps.console.urls import urlpatterns as console_urls
from apps.refunds.models import Decision, Run, RunState, Settlement, Step
from apps.refunds.operations.approving import pay_run
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.deciding import annul
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.netting import record_payments
from apps.refunds.operations.verifying import verify_run
from tests.pages import (
    ACTOR,
    PASSWORD,
    YEAR,
    approve,
    as_user,
    auditor,
    buy,
    resident,
    sent,
    settle,
    shown,
    state_purpose,
)

pytestmark = pytest.mark.django_db
SAMPLES: dict[str, Any] = {"year": YEAR, "name": "undo", "language": "ja"}
OF_TYPE: dict[str, Any] = {"IntConverter": 1, "UUIDConverter": uuid.UUID(int=1)}


@pytest.fixture
def client() -> Client:
    return Client(headers={"accept-language": "en"})


def path_of(pattern: URLPattern) -> str:
    wanted = pattern.pattern.converters.items()
    given = {name: SAMPLES.get(name, OF_TYPE.get(type(kind).__name__, "x")) for name, kind in wanted}
    return reverse(pattern.name or "", kwargs=given | pattern.default_args)


def test_the_console_is_not_there_for_strangers_and_residents(client: Client, terminal: int) -> None:
    """Offices' pages are tested role by role (test_every_url)."""
    buy(resident("hanako"), terminal, {"reduced": 1_000_000})
    settle(freeze, assess_run, verify_run)
    approve()
    paths = [path_of(pattern) for pattern in console_urls if not str(pattern.pattern).startswith("office/")]
    asks: tuple[Callable[..., Any], ...] = (client.get, client.post)
    events = Event.objects.count()
    for ask, path in product(asks, paths):
        assert ask(path)["Location"].startswith("/login?next=")
    as_user(client, "hanako")
    for ask, path in product(asks, paths):
        assert ask(path).status_code == 404
    assert len(paths) > 15
    assert Event.objects.count() == events
    assert Run.objects.get().state == RunState.APPROVED


def test_residents_see_their_own_statements_and_decisions_only(client: Client, terminal: int) -> None:
    buy(resident("hanako"), terminal, {"reduced": 1_000_000})
    buy(resident("taro"), terminal, {"reduced": 500})
    settle(freeze, assess_run, verify_run)
    approve()
    decision = Decision.objects.get()
    run, own = f"/year/{YEAR}/run/1", f"/decisions/{decision.pk}"
    as_user(client, "taro")
    assert "¥9" in shown(client, run)
    assert "There is no decision about you." in shown(client, "/decisions")
    for path in (own, f"{own}/letter.pdf"):
        assert client.get(path).status_code == 404
    assert client.post(f"{own}/appeal", {"reason": "x"}).status_code == 404
    decision.refresh_from_db()
    assert decision.state == Decision.State.ISSUED
    as_user(client, "ann")
    for path in (run, f"{run}/statement.json", f"{run}/statement.pdf", "/decisions", own):
        assert client.get(path).status_code == 404
    client.logout()
    for path in (run, f"{run}/statement.json", f"{run}/statement.pdf", "/decisions", own, f"{own}/letter.pdf"):
        assert client.get(path)["Location"] == f"/login?next={path}"


def test_a_statement_is_there_once_its_run_is_verified(client: Client, terminal: int) -> None:
    ref = resident("hanako")
    buy(ref, terminal, {"reduced": 11_000})
    settle(freeze, assess_run)
    as_user(client, "hanako")
    assert "The statement can be read when the run is verified." in shown(client, f"/year/{YEAR}")
    for name in ("", "/statement.json", "/statement.pdf"):
        assert client.get(f"/year/{YEAR}/run/1{name}").status_code == 404
    settle(verify_run)
    page = shown(client, f"/year/{YEAR}/run/1")
    assert "This statement is provisional" in page
    assert "Still to be paid" not in page
    assert "Can be claimed" not in page
    response = client.get(f"/year/{YEAR}/run/1/statement.json")
    assert response["Content-Disposition"] == 'attachment; filename="kanpu-statement-2017-1.json"'
    assert json.loads(response.content)["resident_ref"] == str(ref)
    pdf = client.get(f"/year/{YEAR}/run/1/statement.pdf", headers={"accept-language": "ja"}).content
    assert "還付明細書" in PdfReader(BytesIO(pdf)).pages[0].extract_text()


def test_what_became_of_a_refund_is_said(client: Client, terminal: int) -> None:
    ref = resident("hanako")
    buy(ref, terminal, {"reduced": 110_000})
    settle(freeze, assess_run, verify_run)
    run = approve()
    pay_run(YEAR, actor=ACTOR)
    page = shown(client, f"/year/{YEAR}", as_user="hanako")
    assert "It is being paid." in page
    assert "Still to be paid ¥2,000 Can be claimed until" in page
    record_payments(run, [(ref, 1_500)], at=timezone.now(), actor=ACTOR)
    page = shown(client, f"/year/{YEAR}/run/1")
    assert re.search(r"Paid on \S+ \d+, \d+ ¥1,500 Still to be paid ¥500", page)
    Settlement.objects.create(
        resident_ref=ref, tax_year=YEAR, run=1, kind="lapsed", amount_minor=500, at=timezone.now()
    )
    assert re.search(r"Lapsed on \S+ \d+, \d+: it was not claimed in time ¥500", shown(client, f"/year/{YEAR}"))
    assert "Nothing is left to be paid ¥0" in shown(client, f"/year/{YEAR}/run/1")


def test_a_supplementary_run_that_takes_away_is_a_debt_and_a_decision(client: Client, terminal: int) -> None:
    ref = resident("hanako")
    buy(ref, terminal, {"reduced": 110_000})
    settle(freeze, assess_run, verify_run)
    approve()
    buy(ref, terminal, {"reduced": -55_000}, run=2)
    settle(freeze, assess_run, verify_run)
    approve()
    page = shown(client, f"/year/{YEAR}", as_user="hanako")
    assert "found ¥2,000, which was ¥1,000 too much" in page
    assert "Still to be taken off later refunds −¥1,000" in page
    decision = Decision.objects.get()
    page = shown(client, f"/decisions/{decision.pk}")
    assert "less is left of your purchases than earlier runs of this year assumed" in page
    assert "Reduced by ¥1,000" in page
    letter = client.get(f"/decisions/{decision.pk}/letter.pdf").content
    assert decision.number in PdfReader(BytesIO(letter)).pages[0].extract_text()
    console = shown(client, f"/console/runs/{YEAR}/2", as_user="ann")
    assert "Due from this run −¥1,000" in console
    assert "Two auditors have signed. The run can be handed over to be paid" in shown(client, f"/console/runs/{YEAR}/1")


def test_a_decision_opened_the_first_time_counts_as_told_and_can_be_appealed_against_until_its_last_day(
    client: Client, terminal: int
) -> None:
    buy(resident("hanako"), terminal, {"reduced": 1_000_000})
    settle(freeze, assess_run, verify_run)
    approve()
    decision = Decision.objects.get()
    listed = shown(client, "/decisions", as_user="hanako")
    assert "not opened yet" in listed
    assert Decision.objects.get().state == Decision.State.ISSUED
    client.head(f"/decisions/{decision.pk}")
    assert Decision.objects.get().state == Decision.State.ISSUED
    assert "You can appeal until" in shown(client, f"/decisions/{decision.pk}")
    assert "This field is required." in sent(client, f"/decisions/{decision.pk}/appeal", reason=" ")
    today = timezone.localdate()
    Decision.objects.update(appeal_until=today - timedelta(days=1))
    assert "The time to appeal ended on" in shown(client, f"/decisions/{decision.pk}")
    assert "You cannot appeal any more" in sent(client, f"/decisions/{decision.pk}/appeal", reason="late")
    Decision.objects.update(appeal_until=today)
    assert "Your appeal has been received." in sent(client, f"/decisions/{decision.pk}/appeal", reason="in time")
    assert "You cannot appeal any more" in sent(client, f"/decisions/{decision.pk}/appeal", reason="again")


def test_who_signs_gives_the_own_password_and_signs_what_was_shown(client: Client, terminal: int) -> None:
    buy(uuid.uuid4(), terminal, {"reduced": 11_000})
    settle(freeze, assess_run, verify_run)
    digest = Run.objects.get().digest
    as_user(client, auditor("ann"))
    path = f"/console/runs/{YEAR}/1/sign"
    assert digest in shown(client, f"/console/runs/{YEAR}/1")
    assert "The password is not right." in sent(client, path, password="wrong", digest=digest)
    assert "The password is not right." in sent(client, path, digest=digest)
    assert "The digest is not the one" in sent(client, path, password=PASSWORD, digest="0" * 64)
    assert Run.objects.get().signed_1_by == ""
    assert "Another auditor must sign" in sent(client, path, password=PASSWORD, digest=digest)
    assert "must be another auditor's" in sent(client, path, password=PASSWORD, digest=digest)
    as_user(client, auditor("ben"))
    assert "ann has signed; yours is the second signature" in shown(client, f"/console/runs/{YEAR}/1")
    assert "Two auditors have signed." in sent(client, path, password=PASSWORD, digest=digest)
    assert Run.objects.get().signed_2_by == "ben"


def test_steps_that_do_not_fit_are_refused_in_words(client: Client, terminal: int) -> None:
    buy(uuid.uuid4(), terminal, {"reduced": 11_000})
    as_user(client, auditor("ann"))
    run = f"/console/runs/{YEAR}/1"
    assert client.get(f"{run}/undo").status_code == 404
    assert client.post(f"{run}/undo").status_code == 302
    settle(freeze)
    assert client.get(f"{run}/delete").status_code == 404
    assert "This step cannot be taken now." in shown(client, f"{run}/pay")
    assert "The run is not in the state" in sent(client, f"{run}/pay")
    assert "A worker begins with it." in sent(client, f"{run}/assess")
    assert "A step of this year is at work already." in sent(client, f"{run}/verify")
    Step.objects.all().delete()
    assert "The run is withdrawn for good." in shown(client, f"{run}/undo")
    assert 'name="state" value="frozen"' in client.get(f"{run}/undo").content.decode()
    assert "The run is not in the state" in sent(client, f"{run}/undo", state="assessed")
    assert "This run was withdrawn." in sent(client, f"{run}/undo", state="frozen")
    settle(freeze)
    assert "There is a newer run of this year." in sent(client, f"{run}/undo")
    assert Run.objects.get(number=2).state == RunState.FROZEN
    assert "The year cannot be frozen now" in shown(client, f"/console/years/{YEAR}/freeze")
    assert client.get("/console/years/1999/freeze").status_code == 404
    assert "This tax year was not started." in sent(client, "/console/years/1999/freeze")


def test_a_run_cannot_be_closed_while_something_is_to_be_paid(client: Client, terminal: int) -> None:
    ref = uuid.uuid4()
    buy(ref, terminal, {"reduced": 11_000})
    settle(freeze, assess_run, verify_run)
    run = approve()
    as_user(client, "ann")
    path = f"/console/runs/{YEAR}/1"
    assert "1 refund, ¥200 together, is handed over to be paid." in shown(client, f"{path}/pay")
    assert "Being paid" in sent(client, f"{path}/pay")
    assert "Not settled yet ¥200 1 refund" in shown(client, path)
    assert "neither paid nor netted nor lapsed" in sent(client, f"{path}/close")
    record_payments(run, [(ref, 200)], at=timezone.now(), actor=ACTOR)
    assert "The run is closed." in sent(client, f"{path}/close")


def test_every_look_at_a_refund_is_on_record_with_its_purpose(client: Client, terminal: int) -> None:
    ref, other = uuid.uuid4(), uuid.uuid4()
    buy(ref, terminal, {"reduced": 1_000_000})
    settle(freeze, assess_run, verify_run)
    approve()
    as_user(client, "ann")
    assert "Type a resident's reference" in sent_by_get(client, "/console/refunds")
    assert "32 hexadecimal digits" in sent_by_get(client, f"/console/refunds?resident=x&year={YEAR}")
    assert not AccessRecord.objects.exists()
    state_purpose(client, ref, purpose="appeal", case="2026-7")
    found = sent_by_get(client, f"/console/refunds?resident={ref}&year={YEAR}")
    assert "Still to be paid ¥4,000" in found
    assert "This tax year was not started." in sent_by_get(client, f"/console/refunds?resident={ref}&year=1999")
    state_purpose(client, other)
    assert "There is no such refund" in sent_by_get(client, f"/console/refunds?resident={other}&year={YEAR}")
    decision = Decision.objects.get()
    for path in (
        f"/console/refunds?resident={ref}&year={YEAR}&replay=1",
        f"/console/refunds/{ref}/{YEAR}/1/statement.json",
        f"/console/refunds/{ref}/{YEAR}/1/statement.pdf",
        f"/console/decisions/{decision.pk}",
        f"/console/decisions/{decision.pk}/letter-en.pdf",
    ):
        assert client.get(path).status_code == 200, path
    assert client.get(f"/console/refunds/{other}/{YEAR}/1/statement.json").status_code == 404
    assert client.get(f"/console/decisions/{decision.pk + 1}").status_code == 404
    records = AccessRecord.objects.order_by("pk")
    assert set(records.values_list("actor", "role")) == {("user:ann", "auditor")}
    assert list(records.values_list("what", "resident_ref", "purpose", "case")) == [
        ("refund 2017", ref, "appeal", "2026-7"),
        ("refund 1999", ref, "appeal", "2026-7"),
        ("refund 2017", other, "check", ""),
        ("replay 2017-1", ref, "appeal", "2026-7"),
        ("statement 2017-1", ref, "appeal", "2026-7"),
        ("statement 2017-1", ref, "appeal", "2026-7"),
        (f"decision {decision.number}", ref, "appeal", "2026-7"),
        (f"letter {decision.number}", ref, "appeal", "2026-7"),
        ("statement 2017-1", other, "check", ""),
    ]


def test_nothing_of_a_resident_is_shown_before_an_auditor_says_for_what(client: Client, terminal: int) -> None:
    ref = uuid.uuid4()
    buy(ref, terminal, {"reduced": 1_000_000})
    settle(freeze, assess_run, verify_run)
    approve()
    as_user(client, "ann")
    decision = Decision.objects.get()
    for path in (
        f"/console/refunds?resident={ref}&year={YEAR}",
        f"/console/refunds/{ref}/{YEAR}/1/statement.json",
        f"/console/refunds/{ref}/{YEAR}/1/statement.pdf",
        f"/console/decisions/{decision.pk}",
        f"/console/decisions/{decision.pk}/letter-en.pdf",
    ):
        asked = client.get(path)
        assert asked["Location"].startswith(f"/console/purpose/{ref}?next="), path
    asked_for = client.get(f"/console/refunds?resident={ref}&year={YEAR}")["Location"]
    assert "This field is required." in sent(client, asked_for, purpose="")
    assert "Say which purpose." in sent(client, asked_for, purpose="other")
    assert not AccessRecord.objects.exists()
    assert "Still to be paid ¥4,000" in sent(client, asked_for, purpose="other", text="A call of the mayor")
    assert AccessRecord.objects.get().purpose == "A call of the mayor"
    away = client.post(f"/console/purpose/{ref}?next=//evil.example/", {"purpose": "check"})
    assert away["Location"] == "/console/refunds"
    for kept in (later := client.session)["opened"].values():
        kept[-1] = (timezone.now() - timedelta(seconds=1)).isoformat()
    later.save()
    assert client.get(f"/console/decisions/{decision.pk}").status_code == 302


def sent_by_get(client: Client, path: str) -> str:
    return shown(client, path).replace("&#x27;", "'")


def test_a_replay_that_differs_says_where(client: Client, terminal: int) -> None:
    ref = uuid.uuid4()
    buy(ref, terminal, {"reduced": 11_000})
    settle(freeze)
    Total.objects.filter(resident_ref=ref).update(amounts_minor=[0, 0, 22_000, *[0] * 9])
    settle(assess_run)
    as_user(client, auditor("ann"))
    state_purpose(client, ref)
    page = shown(client, f"/console/refunds?resident={ref}&year={YEAR}&replay=1")
    assert "Not identical." in page
    assert "the run found ¥400" in page


def test_pages_cost_the_same_for_any_number_of_rows(client: Client, terminal: int) -> None:
    refs = {name: resident(name) for name in ("few", "many")}
    buy(refs["few"], terminal, {"reduced": 500_000})
    buy(refs["many"], terminal, *({"reduced": 9_000} for _ in range(100)))
    settle(freeze, assess_run, verify_run)
    approve()
    few = cost(as_user(client, "ann"), "/console/decisions")
    for _ in range(30):
        annul(refs["many"], year=YEAR, run=1, amount_minor=1, reason="x", actor=ACTOR, now=timezone.now())
    found = {}
    for name in refs:
        as_user(client, name)
        found[name] = [cost(client, path) for path in (f"/year/{YEAR}", f"/year/{YEAR}/run/1", "/decisions")]
    assert found["few"] == found["many"] == [17, 11, 4]
    as_user(client, "ann")
    assert cost(client, "/console/decisions") == few == 7
    for ref in refs.values():
        state_purpose(client, ref)
    costs = {cost(client, f"/console/refunds?resident={ref}&year={YEAR}") for ref in refs.values()}
    assert len(costs) == 1


def cost(client: Client, path: str) -> int:
    """How many queries the page takes, once the process knows the schemes."""
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def test_everybody_may_compare_a_statements_root_with_the_published_one(client: Client, terminal: int) -> None:
    assert "No run was signed yet." in shown(client, "/published")
    buy(resident("hanako"), terminal, {"reduced": 5_500})
    settle(freeze, assess_run, verify_run)
    assert client.get("/published.json").json() == {"runs": []}
    approve()
    run = Run.objects.get()
    (published,) = client.get("/published.json").json()["runs"]
    assert (published["root"], published["tree_size"], published["digest"]) == (run.root, 1, run.digest)
    assert run.root in shown(client, "/published")


def test_a_step_that_ends_while_its_page_is_made_leaves_no_page_that_waits_for_nothing(
    client: Client, terminal: int
) -> None:
    buy(resident("hanako"), terminal, {"reduced": 5_500})
    settle(freeze)
    client.force_login(User.objects.get(username=auditor()))
    for path in ("/console/", f"/console/runs/{YEAR}/1"):
        with CaptureQueriesContext(connection) as captured:
            client.get(path)
        asked = [query["sql"] for query in captured if "FROM" in query["sql"]]
        step, run = (
            next(i for i, sql in enumerate(asked) if f'FROM "{table}"' in sql)
            for table in ("refunds_step", "refunds_run")
        )
        assert step < run, path
