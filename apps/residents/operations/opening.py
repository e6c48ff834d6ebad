"""Finding the one resident whose exact number or code and birth date an officer gives."""

import hmac
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from apps.audit.access import Access
from apps.audit.operations.openings import note_opening, note_seeking
from apps.residents.queries.vault import ResidentUnknown, read_vault, resident_by_code, resident_by_number


class Particulars(NamedTuple):
    """What a resident is found by: 12 digits or 11, the other is empty, and the day of birth."""

    individual_number: str
    resident_code: str
    birth_date: date


def find_resident(particulars: Particulars, *, access: Access, at: datetime) -> UUID:
    """The resident who has all of these particulars. Each try is counted first, each opening is on record.

    Whoever has a right number with a wrong birth date learns what everybody learns: that nothing matches. Not inside a
    transaction. Raises ResidentUnknown, RateLimited, VaultKeysMissing, VaultKeysOutdated, VaultDamaged.
    """
    note_seeking(access, at=at)
    if particulars.individual_number:
        ref = resident_by_number(particulars.individual_number)
    else:
        ref = resident_by_code(particulars.resident_code)
    identity = read_vault([ref], ["person"], access=access, at=at).get(ref)
    born = identity.person.birth_date.isoformat() if identity and identity.person else ""
    if not hmac.compare_digest(born, particulars.birth_date.isoformat()):
        raise ResidentUnknown("Nobody is registered under these particulars. Check them, digit by digit.")
    note_opening(access, ref, at=at)
    return ref
