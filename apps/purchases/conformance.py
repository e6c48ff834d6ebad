"""Accepting a vendor's conformance report, as the kit signed it.

The key that signs is that of a terminal which the kit enrolled, so it is in the vendor's hands: the report is the vendor's
word. What can be held against our own records is: the terminals stand where it says, their records are sealed by the
vendor, and the product it names is the one that sold on the vendor's till.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from apps.kernel.encoding import bytes_of, bytes_text
from apps.kernel.errors import KanpuError
