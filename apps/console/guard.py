"""Who sees a page of staff's: those with one of its roles who showed a key. To everybody else it does not exist."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from apps.audit.officers import MAY_OPEN, Role, Standing, Thing, standing_of
from apps.audit.sessions import is_local_demo, key_records, lacks_key
from apps.audit.strength import TO_OPEN, is_fresh

View = Callable[..., HttpResponseBase]
OFFICES: Final = (Role.CLERK, Role.HELPDESK)
STANDING: Final = "kanpu.standing"
WITHOUT_KEY: Final = "WITHOUT_KEY"  # for the templates: the demo says on each page that it asks for no key


def staff_only(*roles: Role, with_first_password: bool = False) -> Callable[[View], View]:
    """Send strangers to the sign-in and answer 404 to everybody who has none of the roles.

    Who still has the password that was given out is sent to change it, then who showed no key to show or make one.
    """

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            standing = standing_of(request.user)
            if not standing.roles & set(roles):
                raise Http404("Not for this user.")
            if standing.must_change_password:
                if not with_first_password:
                    return redirect("office-password")
            elif lacks_key(request):
                return to_key(request.get_full_path())
            request.META[WITHOUT_KEY] = is_local_demo(request)
            request.META[STANDING] = standing
            return view(request, **kwargs)

        return never_cache(login_required(guarded))

    return guard


auditors_only: Final = staff_only(Role.AUDITOR)
clerks_only: Final = staff_only(Role.CLERK)
offices_only: Final = staff_only(*OFFICES)


def fresh_key(back_to: str, *of: str) -> Callable[[View], View]:
    """Below a guard, of an act with another's weight on it: the key was shown within five minutes, or is shown again.

    `back_to` names the page with the button, which has these of the arguments.
    """

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            if is_local_demo(request) or is_fresh(key_records(request), TO_OPEN, at=timezone.now()):
                return view(request, **kwargs)
            messages.info(request, _("Show your key for this: then you come back and press the button again."))
            again = urlencode({"next": reverse(back_to, kwargs={name: kwargs[name] for name in of})})
            return redirect(f"{reverse('mfa_reauthenticate_webauthn')}?{again}")

        return guarded

    return guard


def to_key(following: str) -> HttpResponse:
    """To the page on which an officer shows or makes a key, and from there on."""
    return redirect(f"{reverse('office-key')}?{urlencode({'next': following})}")


def open_to_those_who_may(thing: Thing, *among: Role) -> Callable[[View], View]:
    """A view of something that MAY_OPEN says who may open; of those, with `among`, these roles only."""
    roles = MAY_OPEN[thing]
    return staff_only(*(roles & set(among) if among else roles))


def actor_of(request: HttpRequest) -> str:
    """Who acts, as the trail names them."""
    return f"user:{request.user.get_username()}"


def standing_in(request: HttpRequest) -> Standing:
    """What the user of a guarded view is in the office."""
    return cast("Standing", request.META[STANDING])


def role_in(request: HttpRequest) -> Role:
    """In which role the user looks at residents: the one that sees most."""
    roles = standing_in(request).roles
    return next(role for role in (Role.CLERK, Role.HELPDESK, Role.AUDITOR, Role.OPERATOR) if role in roles)
