from django.apps import AppConfig


class InspectionsConfig(AppConfig):
    name = "apps.inspections"

    def ready(self) -> None:
        """Listen to other apps. Packs and looks whose ring was lost are found by the sweep."""
        import apps.inspections.receivers  # noqa: F401, PLC0415 - models are not there before
        from apps.inspections.operations.alarm_searches import run_alarm_searches  # noqa: PLC0415
        from apps.inspections.operations.packing import run_requested_packs  # noqa: PLC0415
        from apps.refunds.operations.requesting import SWEPT  # noqa: PLC0415

        SWEPT.extend((run_requested_packs, run_alarm_searches))
