"""What enrolling a terminal takes, and when it is the same terminal again. Pure.

A terminal comes as JSON or as a row of a table; both are read by the same rules.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from apps.merchants.keys import TERMINAL_CODE, read_public_key

PLACE_STEP: Final = Decimal("0.00001")  # degrees, about a metre
OFFICE_NAME: Final = "Refund office"  # the merchant that has the office's own terminals
OFFICE_TERMINALS: Final[Mapping[str, str]] = {"live": "refund-office", "test": "refund-office-test"}  # by mode
COLUMNS: Final = ("code", "store", "region", "latitude", "longitude", "public_key", "replaces")

FORMS: Final = {
    "code": (TERMINAL_CODE, "a code has a-z, 0-9 and -, at most 63 of them, and does not start with -"),
    "store": (re.compile(r"(?=.*\S)[^\x00-\x1f\x7f]{1,200}"), "a store's name has 1 to 200 characters, all printable"),
    "region": (re.compile(r"[0-9A-Za-z-]{0,8}"), "a region's code has at most 8 letters and digits"),
    "replaces": (TERMINAL_CODE, "this is no terminal's code"),
}


class Defect(NamedTuple):
    """Why a terminal is not enrolled: a code of the catalogue, the field, and its value or what is wrong with it."""

    code: str
    param: str = ""
    value: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NewTerminal:
    """A terminal to enrol. `place` is (latitude, longitude) in degrees; `replaces` the code of the till it succeeds."""

    code: str
    store: str
    region: str = ""
    place: tuple[Decimal, Decimal] | None = None
    public_key: bytes | None = None
    replaces: str | None = None


class _Row(msgspec.Struct):
    code: str
    store: str
    region: str | None = None
    latitude: Decimal | None = None
    longitude: Decimal | None = None
    public_key: str | None = None
    replaces: str | None = None


def read_terminal(fields: object) -> NewTerminal | Defect:
    """The terminal that these fields of JSON, or texts of a table's row, describe. Unknown fields are ignored."""
    try:
        row = msgspec.convert(fields, _Row, strict=False)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$")
        return Defect("terminal_invalid", param=path.strip(".`"), reason=said)
    for param, (form, reason) in FORMS.items():
        text = getattr(row, param)
        if text is not None and not form.fullmatch(text):
            return Defect("terminal_invalid", param=param, reason=reason)
    place = _place(row.latitude, row.longitude)
    if isinstance(place, Defect):
        return place
    public_key = read_public_key(row.public_key) if row.public_key else None
    if row.public_key and public_key is None:
        reason = "a public key is 32 bytes of Ed25519 in base64url without padding"
        return Defect("terminal_invalid", param="public_key", reason=reason)
    return NewTerminal(row.code, row.store, row.region or "", place, public_key, row.replaces)


def _place(latitude: Decimal | None, longitude: Decimal | None) -> tuple[Decimal, Decimal] | Defect | None:
    if latitude is None and longitude is None:
        return None
    if latitude is None or longitude is None:
        return Defect("terminal_invalid", param="latitude", reason="latitude and longitude come together")
    for param, degrees, most in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        if not (degrees.is_finite() and abs(degrees) <= most):
            return Defect("terminal_invalid", param=param, reason=f"degrees are from -{most} to {most}")
    return latitude.quantize(PLACE_STEP), longitude.quantize(PLACE_STEP)


@dataclass(frozen=True, slots=True)
class Known:
    """A terminal that is enrolled: whose, where, and whether it has a successor."""

    merchant_id: int
    terminal: NewTerminal
    replaced: bool = False


def is_same(known: Known, merchant_id: int, new: NewTerminal) -> bool:
    """Whether enrolling `new` is what was done before. A key that the till registered later is no difference."""
    old = known.terminal
    return (
        (known.merchant_id, old.store, old.region, old.place, old.replaces)
        == (merchant_id, new.store, new.region, new.place, new.replaces)
    ) and new.public_key in (None, old.public_key)


def defect_of(
    new: NewTerminal, merchant_id: int, known: Mapping[str, Known], *, store_names: Collection[str], limited: bool
) -> Defect | None:
    """Why a new terminal of the merchant cannot be enrolled. A `limited` key enrols in the stores of these names."""
    if new.code in known or new.code in OFFICE_TERMINALS.values():
        return Defect("terminal_code_taken", param="code", value=new.code)
    if limited and new.store not in store_names:
        return Defect("terminal_invalid", param="store", reason="the key is limited to other stores")
    if new.replaces is None:
        return None
    old = known.get(new.replaces)
    if old is None or old.merchant_id != merchant_id or (limited and old.terminal.store not in store_names):
        return Defect("terminal_invalid", param="replaces", reason="no terminal of yours has the code it replaces")
    if old.replaced:
        return Defect("terminal_invalid", param="replaces", reason="the terminal was replaced by another before")
    return None
