from django.apps import AppConfig


class AccrualsConfig(AppConfig):
    name = "apps.accruals"

    def ready(self) -> None:
        """Listen to other apps."""
        import apps.accruals.receivers  # noqa: F401, PLC0415 - models are not there before
