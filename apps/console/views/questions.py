"""What residents ask of those who looked at their data: clerks answer for their office, auditors wherever."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.audit.officers import Role, Thing
from apps.console.forms import AnswerWhyForm
from apps.console.guard import actor_of, open_to_those_who_may, standing_in
from apps.console.problems import in_words
from apps.console.views.office_frame import page as office_page
from apps.kernel.errors import KanpuError
from apps.residents.operations.questions import answer_why
from apps.residents.queries.questions import question_of, questions_page

of_auditors = open_to_those_who_may(Thing.QUESTIONS, Role.AUDITOR)
of_clerks = open_to_those_who_may(Thing.QUESTIONS, Role.CLERK)


@of_auditors
@require_safe
def questions(request: HttpRequest) -> HttpResponse:
    """All questions, those whose time ends next first."""
    return render(request, "console/questions.html", _list(request, office=None))


@of_auditors
@require_http_methods(["GET", "HEAD", "POST"])
def question(request: HttpRequest, question_id: int) -> HttpResponse:
    """One question, and its answer."""
    done, shown = _one(request, question_id, office=None)
    return redirect("questions") if done else render(request, "console/question.html", shown)


@of_clerks
@require_safe
def office_questions(request: HttpRequest) -> HttpResponse:
    """Those to the clerk's own office."""
    return office_page(request, "questions.html", **_list(request, office=standing_in(request).office))


@of_clerks
@require_http_methods(["GET", "HEAD", "POST"])
def office_question(request: HttpRequest, question_id: int) -> HttpResponse:
    """One of them, and its answer."""
    done, shown = _one(request, question_id, office=standing_in(request).office)
    return redirect("office-questions") if done else office_page(request, "question.html", **shown)


def _list(request: HttpRequest, *, office: str | None) -> dict[str, Any]:
    found = questions_page(office=office, page=request.GET.get("page"))
    return {"questions": found, "me": actor_of(request), "today": timezone.localdate()}


def _one(request: HttpRequest, question_id: int, *, office: str | None) -> tuple[bool, dict[str, Any]]:
    """Whether the question was answered with this request, and what its page shows."""
    found = question_of(question_id, office=office)
    if found is None:
        raise Http404("There is no such question.")
    form = AnswerWhyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            answer_why(found, form.cleaned_data["answer"], at=timezone.now(), actor=actor_of(request))
        except KanpuError as error:
            messages.error(request, in_words(error))
            found.refresh_from_db()
        else:
            messages.success(request, _("The answer is sent: the resident reads it now."))
            return True, {}
    return False, {"question": found, "form": form, "me": actor_of(request)}
