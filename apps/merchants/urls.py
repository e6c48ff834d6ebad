from django.urls import path

from apps.merchants.views import errors_page

urlpatterns = [path("docs/errors", errors_page, name="errors")]
