"""Kanpu's library for tills: read a card, record sales and what follows them, report until it is acknowledged."""

from kanpu_pos.batch import Batch, StoredRecordError, split
from kanpu_pos.card import (
    CardError,
    CounterExhaustedError,
    PersonalisedCard,
    VirtualCard,
    read_personalisation,
)
from kanpu_pos.client import Client
from kanpu_pos.connection import ApiError, GaveUpError, SetupError
from kanpu_pos.enrolment import EnrolmentError
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.fields import FieldError, Lines, Of
from kanpu_pos.outcomes import Outcome
from kanpu_pos.reader import NoSealingKey, SealingKey, VirtualReader
from kanpu_pos.receipt import Sold
from kanpu_pos.records import Closing, Correction, Record, Return, Sale, Unused, Void, from_json, line
from kanpu_pos.register import CardReader, TillError
from kanpu_pos.report import Rejected, Report
from kanpu_pos.retry import Clock
from kanpu_pos.seal import Seal, digest_0, digests, extended, sign
from kanpu_pos.sending import ChainError, Sent
from kanpu_pos.shape import UnexpectedAnswerError
from kanpu_pos.store import StoreError
from kanpu_pos.terminals import Enrolment, Terminal
from kanpu_pos.testing import TestCard
from kanpu_pos.tiers import Tier, Tiers, expected_refund_minor
from kanpu_pos.till import Status, Till
from kanpu_pos.token import TokenError, seal_token, token_context
from kanpu_pos.version import VERSION

__all__ = [
    "VERSION",
    "ApiError",
    "Batch",
    "CardError",
    "CardReader",
    "ChainError",
    "Client",
    "Clock",
    "Closing",
    "Correction",
    "CounterExhaustedError",
    "Enrolment",
    "EnrolmentError",
    "FieldError",
    "GaveUpError",
    "KanpuPosError",
    "Lines",
    "NoSealingKey",
    "Of",
    "Outcome",
    "PersonalisedCard",
    "Record",
    "Rejected",
    "Report",
    "Return",
    "Sale",
    "Seal",
    "SealingKey",
    "Sent",
    "SetupError",
    "Sold",
    "Status",
    "StoreError",
    "StoredRecordError",
    "Terminal",
    "TestCard",
    "Tier",
    "Tiers",
    "Till",
    "TillError",
    "TokenError",
    "UnexpectedAnswerError",
    "Unused",
    "VirtualCard",
    "VirtualReader",
    "Void",
    "digest_0",
    "digests",
    "expected_refund_minor",
    "extended",
    "from_json",
    "line",
    "read_personalisation",
    "seal_token",
    "sign",
    "split",
    "token_context",
]
