from django.urls import path

from apps.purchases.api import PurchasesView

urlpatterns = [path("v1/purchases", PurchasesView.as_view(), name="purchases")]
