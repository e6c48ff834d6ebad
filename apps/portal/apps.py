from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "apps.portal"

    def ready(self) -> None:
        """Hear of sign-ins."""
        from apps.portal import signals  # noqa: F401, PLC0415 - models are there only now
