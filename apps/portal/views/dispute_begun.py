"""Beginning a dispute: what is wrong, a look at it before it is sent, and sending it. Each step is one form."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.accruals.disputes import Missing, reply_due_date
from apps.accruals.models import Dispute
from apps.accruals.operations.amending import AmountsInvalid
from apps.accruals.operations.claiming import ClaimNotResident
from apps.accruals.operations.withdrawing import PurchaseMissing
from apps.accruals.queries.shown import named_tiers
from apps.portal.dispute_forms import MissingAmountsForm, NotMineForm, WhereForm, WrongTierForm
from apps.portal.guard import resident_page
from apps.portal.operations.disputes import dispute_own, report_own_missing
from apps.portal.queries.disputes import Disputable, disputable
from apps.portal.queries.purchases import PurchaseUnknown
from apps.portal.viewer import Right, Viewer
from apps.purchases.following import Key
from apps.refunds.operations.disputing import (
    AlreadyDisputed,
    DayRefused,
    Objection,
    TooManyDisputes,
    check_missing,
    check_objection,
)
from apps.refunds.queries.disputes import Offered, offered_on

ABOUT_A_PURCHASE = (Dispute.Kind.NOT_MINE, Dispute.Kind.WRONG_TIER)


@require_http_methods(["GET", "HEAD", "POST"])
@resident_page(Right.DISPUTE)
def purchase(request: HttpRequest, viewer: Viewer, terminal_id: int, seq: int) -> HttpResponse:
    """Dispute a purchase: choose what is wrong, say it, look at it, send it."""
    try:
        found = disputable(viewer.ref, terminal_id, seq)
    except PurchaseUnknown as error:
        raise Http404(str(error)) from error
    kind = request.POST.get("kind") or request.GET.get("kind", "")
    if kind not in ABOUT_A_PURCHASE:
        return render(request, "portal/dispute_kind.html", {"found": found})
    form = _objection_form(request, found, kind)
    if request.method != "POST" or request.POST.get("step") == "edit" or not form.is_valid():
        return _purchase_page(request, found, kind, form)
    return _objected(request, viewer, found, kind, form)


def _objection_form(request: HttpRequest, found: Disputable, kind: str) -> NotMineForm | WrongTierForm:
    data = request.POST if request.method == "POST" else None
    if kind == Dispute.Kind.NOT_MINE:
        return NotMineForm(data)
    return WrongTierForm(data, scheme=found.scheme, tiers=found.tiers, amounts=found.sale.sold)


def _objected(
    request: HttpRequest, viewer: Viewer, found: Disputable, kind: str, form: NotMineForm | WrongTierForm
) -> HttpResponse:
    """Look at what was said, or send it."""
    amounts = form.amounts() if isinstance(form, WrongTierForm) else {}
    objection = Objection(Dispute.Kind(kind), form.cleaned_data["words"], amounts)
    key = found.sale.key
    try:
        if request.POST.get("step") == "send":
            sent = dispute_own(viewer, *key, objection, at=timezone.now())
            return _sent(request, sent)
        check_objection(viewer.ref, Key(*key), objection)
    except AmountsInvalid:
        form.add_error(None, _amounts_words(same=amounts == found.sale.sold))
        return _purchase_page(request, found, kind, form)
    except PurchaseMissing as error:
        raise Http404(str(error)) from error
    except (AlreadyDisputed, TooManyDisputes) as error:
        return _refused(request, error)
    return _purchase_page(request, found, kind, form, said=named_tiers(found.scheme, amounts), checked=True)


def _purchase_page(
    request: HttpRequest, found: Disputable, kind: str, form: forms.Form, **more: object
) -> HttpResponse:
    shown = {"found": found, "kind": kind, "form": form, "reply_due": _reply_due(), **more}
    return render(request, "portal/dispute_new.html", shown)


@require_http_methods(["GET", "HEAD", "POST"])
@resident_page(Right.DISPUTE)
def missing(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Report a missing purchase: where and when, what, a look at it, send it."""
    data = request.POST if request.method == "POST" else None
    where, step = WhereForm(data), request.POST.get("step", "")
    if data is None or step == "edit" or not where.is_valid():
        return _missing_page(request, where)
    offered = offered_on(where.cleaned_data["day"])
    if offered is None:
        where.add_error("day", _("Purchases of this year are not collected."))
        return _missing_page(request, where)
    what = MissingAmountsForm(None if step == "where" else data, scheme=offered.scheme, tiers=offered.tiers)
    if step in ("where", "amounts") or not what.is_valid():
        return _missing_page(request, where, what=what, offered=offered)
    return _reported(request, viewer, where, what, offered)


def _reported(
    request: HttpRequest, viewer: Viewer, where: WhereForm, what: MissingAmountsForm, offered: Offered
) -> HttpResponse:
    given, now = where.cleaned_data, timezone.now()
    told = Missing(given["shop"], where.bought_at(), given["receipt_number"], what.amounts())
    try:
        if request.POST.get("step") == "send":
            sent = report_own_missing(viewer, told, words=what.cleaned_data["words"], at=now)
            return _sent(request, sent)
        check_missing(viewer.ref, told, now=now)
    except (DayRefused, ClaimNotResident) as error:
        where.add_error("day", _day_words(error))
        return _missing_page(request, where)
    except AmountsInvalid:
        what.add_error(None, _amounts_words(same=False))
        return _missing_page(request, where, what=what, offered=offered)
    except (AlreadyDisputed, TooManyDisputes) as error:
        return _refused(request, error)
    shown = {"what": what, "offered": offered, "said": named_tiers(offered.scheme, told.amounts), "told": told}
    return _missing_page(request, where, checked=True, **shown)


def _missing_page(request: HttpRequest, where: WhereForm, **more: object) -> HttpResponse:
    return render(request, "portal/dispute_missing.html", {"where": where, "reply_due": _reply_due(), **more})


def _reply_due() -> object:
    return reply_due_date(timezone.localdate())


def _sent(request: HttpRequest, sent: Dispute) -> HttpResponse:
    messages.success(request, _("Your dispute is with the refund office."))
    return redirect("my-dispute", dispute_id=sent.pk)


def _refused(request: HttpRequest, error: AlreadyDisputed | TooManyDisputes) -> HttpResponse:
    words = (
        _("You have disputed this before. You find it here, and if it was decided, how to appeal.")
        if isinstance(error, AlreadyDisputed)
        else _("You have too many open disputes. Wait for an answer, or withdraw one.")
    )
    messages.error(request, words)
    return redirect("my-disputes")


def _amounts_words(*, same: bool) -> str:
    if same:
        return _("These are the amounts that the purchase has already. Change what is wrong.")
    return _("These amounts are not possible on that day. Check them.")


def _day_words(error: DayRefused | ClaimNotResident) -> str:
    if isinstance(error, ClaimNotResident):
        return _("You were not resident on that day: the purchase would bring you nothing.")
    if error.defect == "year_closed":
        return _("The filing deadline of this year is over: nothing more is taken.")
    return _("Purchases of this day are not taken.")
