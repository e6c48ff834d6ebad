from django.urls import path

from apps.inspections.api import CompletenessView

urlpatterns = [path("v1/completeness", CompletenessView.as_view(), name="completeness")]
