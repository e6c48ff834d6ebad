"""Residents, known by a random reference; the vault, which alone knows who they are; households, cards, public keys."""

from apps.residents.models.accounts import PaymentAccount
from apps.residents.models.cards import Card, CardOrder, CardSuspension, HandOver, Notice, PhoneMiss, TestCard
from apps.residents.models.keys import KeyFingerprint, SealingKey
from apps.residents.models.messages import AccessQuestion, Mail, Mailing, Message
from apps.residents.models.proxies import (
    HeadPaymentConsent,
    HouseholdConsent,
    Proxy,
    ProxyCode,
    ProxyCodeMiss,
    ProxyDay,
)
from apps.residents.models.register import (
    Attribute,
    EarlierResidence,
    JudgingDue,
    Membership,
    RecordingPause,
    RegisterEvent,
    Resident,
)
from apps.residents.models.vault import HouseholdIndex, Photo, VaultRecord

__all__ = [
    "AccessQuestion",
    "Attribute",
    "Card",
    "CardOrder",
    "CardSuspension",
    "EarlierResidence",
    "HandOver",
    "HeadPaymentConsent",
    "HouseholdConsent",
    "HouseholdIndex",
    "JudgingDue",
    "KeyFingerprint",
    "Mail",
    "Mailing",
    "Membership",
    "Message",
    "Notice",
    "PaymentAccount",
    "PhoneMiss",
    "Photo",
    "Proxy",
    "ProxyCode",
    "ProxyCodeMiss",
    "ProxyDay",
    "RecordingPause",
    "RegisterEvent",
    "Resident",
    "SealingKey",
    "TestCard",
    "VaultRecord",
]
