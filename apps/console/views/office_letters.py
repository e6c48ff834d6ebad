"""Letters that came back, by the number that is printed on them. No resident is shown."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.audit.officers import Role
from apps.console.guard import actor_of, staff_only, standing_in
from apps.console.office_forms import ReturnedForm
from apps.console.views.office_frame import page
from apps.console.views.runs import done
from apps.residents.notice_codes import notice_number
from apps.residents.operations.returned_letters import record_returned
from apps.residents.queries.histories import printed_notice


@staff_only(Role.CLERK, Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def returned(request: HttpRequest) -> HttpResponse:
    """Ask for the number of a letter, show the letter's date, and after that record it: its code is void for good."""
    form = ReturnedForm(request.POST or None)
    if not form.is_valid():
        return page(request, "returned.html", form=form)
    notice_id = form.cleaned_data["number"]
    if "confirmed" in request.POST:
        office, at, number = standing_in(request).office, timezone.now(), notice_number(notice_id)
        return done(
            request,
            lambda: record_returned(notice_id, office=office, at=at, actor=actor_of(request)),
            _("It is recorded that letter %(number)s came back. Its code is void.") % {"number": number},
            redirect("office-returned"),
        )
    notice = printed_notice(notice_id)
    if notice is None:
        form.add_error("number", _("No letter was printed under this number. Check the number on the letter."))
    return page(request, "returned.html", form=form, notice=notice)
