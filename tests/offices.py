"""Who works in offices in tests, and whom they open."""

from datetime import date
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.audit.officers import Role
from apps.audit.operations.officers import appoint_officer
from apps.residents.models import VaultRecord
from apps.residents.operations.vault import new_vault_record
from apps.residents.queries.vault import checked_vault_keys
from apps.residents.vault.contents import Address, Identity, Person

PASSWORD = "a-long-enough-password"
OFFICE = "Setagaya, window 3"
NUMBER, OTHER_NUMBER = "983205673214", "123456789018"
CODE = "12345678901"
BORN = date(1984, 2, 29)
HANAKO = Person("𠮷田 花子", "ヨシダ ハナコ", "YOSHIDA Hanako", BORN, "高橋 花子", "髙橋 花子")
HOME = Address("154-0017", "東京都世田谷区世田谷４丁目２１番２７号")
SECRETS = (NUMBER, CODE, HANAKO.name, HANAKO.name_kana, HANAKO.name_latin, HOME.address, HOME.postal_code)


def officer(name: str, *roles: Role, office: str = OFFICE) -> User:
    """An officer with these roles, beside those that they have."""
    password = None if User.objects.filter(username=name).exists() else PASSWORD
    appoint_officer(name, add=roles, office=office, password=password, at=timezone.now(), actor="test")
    return User.objects.get(username=name)


def identify(ref: UUID) -> None:
    """Let the vault know who this resident is, and nobody else."""
    identity = Identity(individual_number=NUMBER, resident_code=CODE, person=HANAKO, address=HOME)
    VaultRecord.objects.all().delete()
    new_vault_record(checked_vault_keys(), ref, identity).save()


def open_resident(client: Client, *, number: str = NUMBER, birth_date: date = BORN, **more: Any) -> Any:
    """What the form for opening a resident answers."""
    form = {"number": number, "birth_date": birth_date.isoformat(), "purpose": "card", **more}
    return client.post("/office/open", form)
