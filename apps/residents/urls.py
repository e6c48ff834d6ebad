from django.urls import path

from apps.residents.api import SealingKeysView

urlpatterns = [path("v1/keys", SealingKeysView.as_view(), name="sealing_keys")]
