from django.apps import AppConfig


class InspectionsConfig(AppConfig):
    name = "apps.inspections"

    def ready(self) -> None:
        """Packs whose ring was lost are found by the sweep."""
        from apps.inspections.operations.packing import run_requested_packs  # noqa: PLC0415 - models are there now
        from apps.refunds.operations.requesting import SWEPT  # noqa: PLC0415

        SWEPT.append(run_requested_packs)
