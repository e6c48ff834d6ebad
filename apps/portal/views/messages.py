"""The resident's messages, and whether they come by e-mail."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.portal.forms import ConfirmMailForm, MailForm, WantsForm
from apps.portal.guard import resident_page
from apps.portal.operations import messages as doing
from apps.portal.queries.messages import own_mail, own_messages
from apps.portal.viewer import Right, Viewer
from apps.residents.models import Mailing
from apps.residents.operations.mailing import CodeWrong, NobodyKnown, stop_mails


@require_safe
@resident_page()
def all_messages(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """All messages, the newest first."""
    return render(request, "portal/messages.html", {"found": own_messages(viewer.ref, page=request.GET.get("page"))})


@require_POST
@resident_page(Right.SELF)
def read(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Mark all that the page knew of as read."""
    up_to = request.POST.get("up_to", "")
    if up_to.isdecimal() and len(up_to) < 19:
        doing.read_all(viewer, up_to=int(up_to), at=timezone.now())
    return redirect("my-messages")


@require_safe
@resident_page(Right.SELF)
def mail(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Where e-mail goes, if it goes anywhere."""
    return _mail_page(request, viewer)


@sensitive_post_parameters()
@require_POST
@resident_page(Right.SELF)
def mail_address(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Take an address: a code goes there."""
    form = MailForm(request.POST)
    if not form.is_valid():
        return _mail_page(request, viewer, address_form=form)
    try:
        doing.take_address(viewer, form.cleaned_data["email"], wants=form.cleaned_data["wants"], at=timezone.now())
    except NobodyKnown:
        form.add_error("email", _("You are not in the register yet, so there is no safe place to keep an address."))
        return _mail_page(request, viewer, address_form=form)
    messages.success(request, _("A code is on its way to this address. It may take some minutes."))
    return redirect("my-mail")


@require_POST
@resident_page(Right.SELF)
def mail_confirm(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The code that was sent there."""
    form = ConfirmMailForm(request.POST)
    if not form.is_valid():
        return _mail_page(request, viewer, code_form=form)
    try:
        doing.confirm_address(viewer, form.cleaned_data["code"], at=timezone.now())
    except CodeWrong:
        form.add_error("code", _("This is not the code that was sent, or it has run out. Ask for another one below."))
        return _mail_page(request, viewer, code_form=form)
    messages.success(request, _("From now on you get e-mail when there is something new."))
    return redirect("my-mail")


@require_POST
@resident_page(Right.SELF)
def mail_wants(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Which messages come by mail, or none and the address is forgotten."""
    if request.POST.get("forget"):
        doing.forget_address(viewer, at=timezone.now())
        messages.success(request, _("The address is erased. You get no e-mail."))
        return redirect("my-mail")
    form = WantsForm(request.POST)
    if not form.is_valid():
        return _mail_page(request, viewer, wants_form=form)
    doing.choose_mails(viewer, form.cleaned_data["wants"], at=timezone.now())
    messages.success(request, _("Your choice is kept."))
    return redirect("my-mail")


@csrf_exempt  # mail programs post here without a page (RFC 8058); all that can be done is to stop mails
@require_http_methods(["GET", "HEAD", "POST"])
def mail_stop(request: HttpRequest, stop_token: UUID) -> HttpResponse:
    """No more mails, for who has one, without a sign-in."""
    if request.method == "POST":
        if not stop_mails(stop_token, at=timezone.now()):
            raise Http404("No mail has this address.")
        return render(request, "portal/mail_stop.html", {"is_stopped": True})
    return render(request, "portal/mail_stop.html", {"is_stopped": False})


def _mail_page(
    request: HttpRequest,
    viewer: Viewer,
    *,
    address_form: MailForm | None = None,
    code_form: ConfirmMailForm | None = None,
    wants_form: WantsForm | None = None,
) -> HttpResponse:
    found = own_mail(viewer.ref)
    wants = found.mailing.wants if found.mailing else Mailing.Wants.IMPORTANT
    shown = {
        "found": found,
        "address_form": address_form or MailForm(initial={"wants": wants}),
        "code_form": code_form or ConfirmMailForm(),
        "wants_form": wants_form or WantsForm(initial={"wants": wants}),
    }
    return render(request, "portal/mail.html", shown)
