from django.apps import AppConfig


class PayoutsConfig(AppConfig):
    name = "apps.payouts"

    def ready(self) -> None:
        """Listen."""
        import apps.payouts.receivers  # noqa: F401, PLC0415 - Django is set up by now
