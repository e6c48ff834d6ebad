"""Who sees a page of staff's: those with one of its roles. To everybody else it does not exist."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache

from apps.audit.officers import MAY_OPEN, Role, Standing, Thing, standing_of

View = Callable[..., HttpResponseBase]
OFFICES: Final = (Role.CLERK, Role.HELPDESK)
STANDING: Final = "kanpu.standing"


def staff_only(*roles: Role, with_first_password: bool = False) -> Callable[[View], View]:
    """Send strangers to the sign-in and answer 404 to everybody who has none of the roles.

    Who still has the password that was given out is sent to change it.
    """

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
            standing = standing_of(request.user)
            if not standing.roles & set(roles):
                raise Http404("Not for this user.")
            if standing.must_change_password and not with_first_password:
                return redirect("office-password")
            request.META[STANDING] = standing
            return view(request, **kwargs)

        return never_cache(login_required(guarded))

    return guard


auditors_only: Final = staff_only(Role.AUDITOR)
clerks_only: Final = staff_only(Role.CLERK)
offices_only: Final = staff_only(*OFFICES)


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
