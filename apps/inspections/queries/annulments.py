"""What is held against purchases."""

from apps.inspections.models import Annulment, Case
from apps.kernel.errors import KanpuError
from apps.purchases.following import Key


class AnnulmentMissing(KanpuError):
    """Nothing of this number is held against a purchase."""

    code = "annulment_missing"


def annulment_of(annulment_id: int, *, lock: bool = False) -> Annulment:
    """One of them, with its case. Raises AnnulmentMissing."""
    annulments = Annulment.objects.select_related("case")
    found = (annulments.select_for_update(of=("self",)) if lock else annulments).filter(pk=annulment_id).first()
    if found is None:
        raise AnnulmentMissing(f"Nothing of number {annulment_id} is held against a purchase.")
    return found


def latest_in(case: Case, sale: Key) -> Annulment | None:
    """What was held against a purchase last in a case: one query."""
    of_sale = case.annulments.filter(terminal_id=sale.terminal_id, seq=sale.seq)
    return of_sale.select_related("case").order_by("-pk").first()


def under_way(sale: Key) -> Annulment | None:
    """What is held against a purchase, or was annulled of it and stands: one query."""
    of_sale = Annulment.objects.filter(terminal_id=sale.terminal_id, seq=sale.seq, lifted_at=None)
    return of_sale.exclude(state="dropped").select_related("case").first()
