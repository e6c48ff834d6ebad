from django.apps import AppConfig


class PayoutsConfig(AppConfig):
    name = "apps.payouts"

    def ready(self) -> None:
        """Listen, let the sweep find counts whose ring was lost, and keep what is with a bank from lapsing."""
        import apps.payouts.receivers  # noqa: F401, PLC0415 - Django is set up by now
        from apps.payouts.operations.estimating import run_estimates  # noqa: PLC0415
        from apps.payouts.queries.chains import underway  # noqa: PLC0415
        from apps.refunds.operations.lapsing import UNDERWAY  # noqa: PLC0415
        from apps.refunds.operations.requesting import SWEPT  # noqa: PLC0415

        SWEPT.append(run_estimates)
        if underway not in UNDERWAY:
            UNDERWAY.append(underway)
