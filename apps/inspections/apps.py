from django.apps import AppConfig


class InspectionsConfig(AppConfig):
    name = "apps.inspections"

    def ready(self) -> None:
        """Listen to other apps."""
        import apps.inspections.receivers  # noqa: F401, PLC0415 - models are not there before
