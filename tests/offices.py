"""Who works in offices in tests, and whom they open."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.audit.officers import Role
from apps.audit.operations.officers import appoint_officer
from apps.residents.models import CardSuspension, Notice, VaultRecord
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
# of an opened resident
PAGES = ("person", "cards", "letters", "purchases", "household", "choices", "account", "proxies")
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


def signed_in(*roles: Role, name: str = "ann") -> Client:
    """A browser of an officer with these roles, in English."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(officer(name, *roles))
    return client


def text(response: Any) -> str:
    """A page as it is read."""
    page: str = response.content.decode()
    return page.replace("&#x27;", "'")


def sent(client: Client, path: str, **form: Any) -> str:
    """The page that a form leads to."""
    return text(client.post(path, form, follow=True))


def letter(ref: UUID, **more: Any) -> Notice:
    """A letter to a resident that was printed, and whose code is good."""
    now = timezone.now()
    defaults = {"code_hash": b"c" * 32, "file": "x.pdf", "created_at": now, "printed_at": now}
    return Notice.objects.create(resident_id=ref, expires_at=now + timedelta(days=60), **(defaults | more))


def suspension_of(ref: UUID) -> CardSuspension:
    """The one suspension of a resident's cards."""
    return CardSuspension.objects.get(card__resident=ref)
