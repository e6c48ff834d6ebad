from django.apps import AppConfig


class PayoutsConfig(AppConfig):
    name = "apps.payouts"

    def ready(self) -> None:
        """What is with a bank does not lapse."""
        from apps.payouts.queries.chains import underway  # noqa: PLC0415 - models are not loaded before
        from apps.refunds.operations.lapsing import UNDERWAY  # noqa: PLC0415

        if underway not in UNDERWAY:
            UNDERWAY.append(underway)
