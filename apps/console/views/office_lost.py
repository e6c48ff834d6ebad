"""A lost card that is reported by telephone: the page says whether a card was suspended, and nothing else."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.console.guard import offices_only
from apps.console.office_forms import MINUTES, LostForm
from apps.console.opened import access_for
from apps.console.problems import in_words
from apps.console.views.office_frame import page
from apps.kernel.errors import KanpuError
from apps.residents.operations.phone import suspend_by_phone


@sensitive_post_parameters()
@offices_only
@require_http_methods(["GET", "HEAD", "POST"])
def lost(request: HttpRequest) -> HttpResponse:
    """Suspend the card of whoever has this name, birth date and address."""
    now = timezone.localtime()
    initial = {"lost_since": now.strftime(MINUTES)}
    form = LostForm(request.POST, initial=initial) if request.method == "POST" else LostForm(initial=initial)
    if not form.is_valid():
        return page(request, "lost.html", form=form)
    access = access_for(request, purpose="lost_card", case="")
    try:
        was_suspended = suspend_by_phone(**form.cleaned_data, access=access, at=now)
    except KanpuError as error:
        form.add_error(None, in_words(error))
        return page(request, "lost.html", form=form)
    if was_suspended:
        messages.success(
            request, _("A card was suspended. Tell the caller: it is good again only in person or online.")
        )
        return redirect("office-lost")
    form.add_error(None, _("No card was suspended. Ask for name, birth date and address once more, letter by letter."))
    form.add_error(None, _("If it still does not fit, the caller can suspend it in the portal or at a window."))
    return page(request, "lost.html", form=form)
