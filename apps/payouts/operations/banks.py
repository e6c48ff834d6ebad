"""Setting up the bank that pays for the office, from a file: its options are data."""

from datetime import date, time
from typing import Any

import yaml
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.payouts.models import SendingBank
from apps.payouts.outcomes import WORDS
from apps.payouts.zengin.files import Sender, header_record
from apps.payouts.zengin.layout import FieldRefused
from apps.residents.accounts.directory import BankUnknown, bank_of, branch_of
from apps.residents.accounts.holder import HolderTooLong, HolderUnwritable, bank_kana

SENDER = ("sender_code", "sender_name", "bank", "branch", "account_type", "account_number")
OPTIONS = ("line_end", "clearing_house", "has_end_mark", "result_codes", "cutoff_time", "lead_days", "most_transfers")


class BankFileBad(KanpuError):
    """The file does not describe a bank to pay from."""

    code = "bank_file_bad"


def load_bank(text: str, *, actor: str) -> SendingBank:
    """Set up a bank, or change it, from a YAML text with the fields of `SendingBank`, all texts quoted.

    Names of bank and branch come from the list of banks. Raises BankFileBad.
    """
    try:
        values = dict(yaml.safe_load(text))
        fields = {name: values.pop(name) for name in ("name", *SENDER)}
        options = {name: values.pop(name) for name in OPTIONS if name in values}
        options["cutoff_time"] = time.fromisoformat(options["cutoff_time"])
        fields["sender_name"] = bank_kana(fields["sender_name"])
        fields["bank_name"] = bank_kana(bank_of(fields["bank"]).kana)
        fields["branch_name"] = bank_kana(branch_of(fields["bank"], fields["branch"]).kana)
        _check(fields, options, values)
        return _save(fields | options, actor)
    except (yaml.YAMLError, TypeError, ValueError, KeyError, IntegrityError) as error:
        raise BankFileBad(f"The file does not describe a bank to pay from: {error}") from error
    except (BankUnknown, FieldRefused, HolderUnwritable, HolderTooLong) as error:
        raise BankFileBad(str(error)) from error


def _check(fields: dict[str, Any], options: dict[str, Any], more: dict[str, Any]) -> None:
    if more:
        raise BankFileBad(f"Unknown: {', '.join(sorted(more))}.")
    codes = options.get("result_codes")
    if not isinstance(codes, dict) or not set(codes.values()) <= set(WORDS) or not all(len(str(c)) == 1 for c in codes):
        raise BankFileBad(f"result_codes gives for each code of one character one of {', '.join(WORDS)}.")
    header_record(Sender(**_sender(fields)), date.min)


def _sender(fields: dict[str, Any]) -> dict[str, str]:
    return {
        "code": fields["sender_code"], "name": fields["sender_name"], "bank": fields["bank"],
        "bank_name": fields["bank_name"], "branch": fields["branch"], "branch_name": fields["branch_name"],
        "account_type": fields["account_type"], "account_number": fields["account_number"],
    }  # fmt: skip


@transaction.atomic
def _save(values: dict[str, Any], actor: str) -> SendingBank:
    bank, is_new = SendingBank.objects.update_or_create(name=values.pop("name"), defaults=values)
    action = "bank.set_up" if is_new else "bank.change"
    detail = {name: str(value) for name, value in values.items()}
    record_event(at=timezone.now(), actor=actor, action=action, subject=f"bank:{bank.name}", detail=detail)
    return bank
