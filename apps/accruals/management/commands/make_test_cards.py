from typing import Any

from django.utils import timezone

from apps.accruals.operations.test_cards import make_test_cards
from apps.audit.commands import OperatorCommand, operator


class Command(OperatorCommand):
    help = "Make the published test cards (GET /v1/test/cards), once a database. Needs the key file."

    def run(self, **options: Any) -> dict[str, Any]:  # noqa: ARG002 - it has none of its own
        return {"made": make_test_cards(at=timezone.now(), actor=operator())}
