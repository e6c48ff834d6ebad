"""Kanpu's library for tills: read a card, store a sale, report it until it is acknowledged."""

from kanpu_pos.batch import Batch, StoredRecordError, split
from kanpu_pos.card import (
    CardError,
    CounterExhaustedError,
    PersonalisedCard,
    VirtualCard,
    read_personalisation,
)
from kanpu_pos.client import ApiError, Client, GaveUpError, SetupError
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.fields import FieldError
from kanpu_pos.reader import NoSealingKey, SealingKey, VirtualReader
from kanpu_pos.records import Record, Sale, line
from kanpu_pos.report import Rejected, Report, UnexpectedAnswerError
from kanpu_pos.retry import Clock
from kanpu_pos.token import TokenError, seal_token, token_context
from kanpu_pos.version import VERSION

__all__ = [
    "VERSION",
    "ApiError",
    "Batch",
    "CardError",
    "Client",
    "Clock",
    "CounterExhaustedError",
    "FieldError",
    "GaveUpError",
    "KanpuPosError",
    "NoSealingKey",
    "PersonalisedCard",
    "Record",
    "Rejected",
    "Report",
    "Sale",
    "SealingKey",
    "SetupError",
    "StoredRecordError",
    "TokenError",
    "UnexpectedAnswerError",
    "VirtualCard",
    "VirtualReader",
    "line",
    "read_personalisation",
    "seal_token",
    "split",
    "token_context",
]
