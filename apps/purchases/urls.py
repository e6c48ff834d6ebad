from django.urls import path

from apps.purchases.api import PurchasesView, TerminalView, TiersView

urlpatterns = [
    path("v1/purchases", PurchasesView.as_view(), name="purchases"),
    path("v1/terminals/<str:code>", TerminalView.as_view(), name="terminal"),
    path("v1/tiers", TiersView.as_view(), name="tiers"),
]
