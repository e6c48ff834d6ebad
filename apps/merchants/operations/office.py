"""The refund office's own terminals: purchases that no till sent are entered there, once an officer admits them."""

from datetime import datetime
from typing import Final

from django.db import connection, transaction

from apps.audit.operations import record_event
from apps.audit.states import state_of
from apps.merchants.enrolment import OFFICE_NAME, OFFICE_TERMINALS
from apps.merchants.models import Merchant, Mode, Store, Terminal

OFFICE_LOCK: Final = 20150911  # of the one who enters purchases there, or enrols the terminal


@transaction.atomic
def lock_office_terminal(mode: Mode, *, at: datetime, actor: str) -> Terminal:
    """The office's terminal of a mode, enrolled when it is first needed; nobody else enters anything until commit.

    Its merchant has no API key, so nobody reports for it from outside.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [OFFICE_LOCK])
    code = OFFICE_TERMINALS[mode]
    known = Terminal.objects.filter(code=code).first()
    if known:
        return known
    merchant = Merchant.objects.create(name=OFFICE_NAME, mode=mode, created_at=at)
    store = Store.objects.create(merchant=merchant, name=OFFICE_NAME)
    terminal = Terminal.objects.create(code=code, merchant=merchant, store=store, enrolled_at=at)
    record_event(
        at=at, actor=actor, action="terminal.enrol", subject=f"terminal:{code}", detail={"store": store.name},
        before={}, after=state_of(terminal),
    )  # fmt: skip
    return terminal
