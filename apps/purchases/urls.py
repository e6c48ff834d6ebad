from django.urls import path

from apps.purchases.api import PurchasesView
from apps.purchases.views import errors_page

urlpatterns = [
    path("v1/purchases", PurchasesView.as_view(), name="purchases"),
    path("docs/errors", errors_page, name="errors"),
]
