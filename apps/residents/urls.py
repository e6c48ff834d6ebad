from django.urls import path

from apps.residents.api import SealingKeysView, TestCardsView

urlpatterns = [
    path("v1/keys", SealingKeysView.as_view(), name="sealing_keys"),
    path("v1/test/cards", TestCardsView.as_view(), name="test_cards"),
]
