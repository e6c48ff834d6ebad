from django.apps import AppConfig


class ResidentsConfig(AppConfig):
    name = "apps.residents"

    def ready(self) -> None:
        """Whoever looks at a resident's data tells the resident."""
        from apps.audit.operations import TELLERS  # noqa: PLC0415 - models are not loaded before
        from apps.residents.operations.looked import tell_looked  # noqa: PLC0415

        if tell_looked not in TELLERS:
            TELLERS.append(tell_looked)
