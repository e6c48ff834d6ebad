from django.apps import AppConfig


class AccrualsConfig(AppConfig):
    name = "apps.accruals"
