"""The resident's disputes: begun at a purchase or for one that is missing, followed, answered, appealed."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from apps.kernel.documents.render import DocumentUnprintable
from apps.kernel.errors import KanpuError
from apps.portal.dispute_forms import AnswerForm, DisputeAppealForm, PhotoAnswerForm
from apps.portal.guard import resident_page
from apps.portal.operations.disputes import answer_own_question, appeal_own, withdraw_own_dispute
from apps.portal.queries.disputes import own_dispute_page, own_disputes
from apps.portal.viewer import Right, Viewer
from apps.refunds.documents.files import letter_file
from apps.refunds.downloads import saved
from apps.refunds.operations.deciding import TooLate
from apps.refunds.operations.disputing import DisputeClosed, PhotoNotAsked
from apps.refunds.queries.disputes import DisputeMissing, DisputePage, letter_of_dispute
from apps.refunds.templatetags.kanpu import language
from apps.residents.pictures import MOST_BYTES, PictureRefused
from apps.residents.uploads import InMemory
from apps.residents.vault.keys import VaultKeysMissing, VaultKeysOutdated


@require_safe
@resident_page()
def disputes(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """All of the resident's disputes."""
    page = own_disputes(viewer.ref, page=request.GET.get("page"))
    return render(request, "portal/disputes.html", {"page": page, "may_dispute": viewer.may(Right.DISPUTE)})


@require_safe
@resident_page()
def dispute(request: HttpRequest, viewer: Viewer, dispute_id: int) -> HttpResponse:
    """One dispute."""
    return _page(request, viewer, _found(viewer, dispute_id))


@require_safe
@resident_page()
def letter(request: HttpRequest, viewer: Viewer, dispute_id: int) -> HttpResponse:
    """The decision as a letter, once there is one."""
    found = _found(viewer, dispute_id)
    if found.dispute.decided_at is None:
        raise Http404("Nothing is decided.")
    try:
        return saved(letter_file(letter_of_dispute(found), language=language()))
    except DocumentUnprintable:
        messages.error(request, _("The letter has a character that cannot be printed. Read the decision here."))
        return redirect("my-dispute", dispute_id=dispute_id)


@csrf_exempt  # by the inner view instead: Django reads a form, files and all, to look at its token
@require_POST
@resident_page(Right.DISPUTE)
def answer(request: HttpRequest, viewer: Viewer, dispute_id: int) -> HttpResponse:
    """Answer the office's question; how a photo is held is said before anything of it is read."""
    request.upload_handlers = [InMemory(request, MOST_BYTES)]
    return _answer(request, viewer, dispute_id)


@csrf_protect
def _answer(request: HttpRequest, viewer: Viewer, dispute_id: int) -> HttpResponse:
    found = _found(viewer, dispute_id)
    form = _answer_form(found)(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, viewer, found, answer=form)
    photo = form.cleaned_data.get("photo")
    try:
        answer_own_question(
            viewer, dispute_id, text=form.cleaned_data["text"], picture=photo.read() if photo else None,
            at=timezone.now(),
        )  # fmt: skip
    except PictureRefused:
        form.add_error("photo", _("This picture cannot be taken. Send a JPEG, PNG or WebP of up to 50 million pixels."))
        return _page(request, viewer, found, answer=form)
    except (VaultKeysMissing, VaultKeysOutdated):
        form.add_error("photo", _("Photos cannot be kept safely at the moment. Try again later."))
        return _page(request, viewer, found, answer=form)
    except (DisputeClosed, PhotoNotAsked):
        messages.error(request, _("Nobody asks anything about this dispute any more."))
    else:
        messages.success(request, _("Your answer is with the refund office."))
    return redirect("my-dispute", dispute_id=dispute_id)


@require_POST
@resident_page(Right.DISPUTE)
def withdraw(request: HttpRequest, viewer: Viewer, dispute_id: int) -> HttpResponse:
    """Give a dispute up."""
    try:
        withdraw_own_dispute(viewer, dispute_id, at=timezone.now())
    except DisputeMissing as error:
        raise Http404(str(error)) from error
    except DisputeClosed:
        messages.error(request, _("This dispute is decided, or was withdrawn before."))
    else:
        messages.success(request, _("The dispute is withdrawn. The purchase stays as it is."))
    return redirect("my-dispute", dispute_id=dispute_id)


@require_POST
@resident_page(Right.DISPUTE)
def appeal(request: HttpRequest, viewer: Viewer, dispute_id: int) -> HttpResponse:
    """Appeal against the decision."""
    found, form = _found(viewer, dispute_id), DisputeAppealForm(request.POST)
    if not form.is_valid():
        return _page(request, viewer, found, appeal=form)
    try:
        appeal_own(viewer, dispute_id, words=form.cleaned_data["words"], at=timezone.now())
    except TooLate:
        messages.error(request, _("The time to appeal is over."))
    except DisputeClosed:
        messages.error(request, _("There is no decision to appeal against, or you have appealed before."))
    else:
        messages.success(request, _("Your appeal is recorded. An officer who had no part in the decision decides it."))
    return redirect("my-dispute", dispute_id=dispute_id)


def _found(viewer: Viewer, dispute_id: int) -> DisputePage:
    try:
        return own_dispute_page(viewer.ref, dispute_id)
    except KanpuError as error:
        raise Http404(str(error)) from error


def _answer_form(found: DisputePage) -> type[AnswerForm | PhotoAnswerForm]:
    return PhotoAnswerForm if found.dispute.wants_photo else AnswerForm


def _page(request: HttpRequest, viewer: Viewer, found: DisputePage, **sent: forms.Form) -> HttpResponse:
    may = viewer.may(Right.DISPUTE)
    shown = {"found": found, "may_dispute": may, "answer": _answer_form(found)(), "appeal": DisputeAppealForm(), **sent}
    return render(request, "portal/dispute.html", shown)
