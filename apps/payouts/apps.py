from django.apps import AppConfig


class PayoutsConfig(AppConfig):
    name = "apps.payouts"

    def ready(self) -> None:
        """Counts whose ring was lost are found by the sweep."""
        from apps.payouts.operations.estimating import run_estimates  # noqa: PLC0415 - models are not there before
        from apps.refunds.operations.requesting import SWEPT  # noqa: PLC0415

        SWEPT.append(run_estimates)
