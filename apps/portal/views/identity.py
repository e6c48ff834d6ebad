"""To the government's identity provider and back."""

from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from requests import RequestException

from apps.portal.identity import GovernmentAdapter, new_nonce


@require_POST
@never_cache
def leave(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Go there, to sign in or (`process=connect`) to connect the identity that one has there.

    What is asked for is the settings' and a nonce, whatever the address says: allauth would take more from there.
    """
    request.GET = QueryDict(urlencode({"auth_params": urlencode({"nonce": new_nonce(request.session)})}))
    return _view(OAuth2LoginView, request, provider_id)


@require_safe
@never_cache
def back(request: HttpRequest, provider_id: str) -> HttpResponse:
    """What came back."""
    return _view(OAuth2CallbackView, request, provider_id)


def _view(view: type[OAuth2LoginView | OAuth2CallbackView], request: HttpRequest, provider_id: str) -> HttpResponse:
    adapter = GovernmentAdapter(request, provider_id)
    try:
        found: HttpResponse = view.adapter_view(adapter)(request)
    except SocialApp.DoesNotExist as error:
        raise Http404("There is no such identity provider.") from error
    except RequestException as error:  # it does not answer
        refused: HttpResponse = render_authentication_error(request, adapter.get_provider(), exception=error)
        return refused
    return found
