"""What is asked of Stripe, and how what was made by an earlier call is found. The same rows ask the same. Pure.

Our reference stands in the metadata as `refund`, and in the transfer's group. Of a person Stripe gets the bank account
and its holder's name in katakana, nothing else.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import stripe

from apps.payouts.stripe_connect.manifest import CURRENCY, Instruction

A_PAGE: Final = 100
CLOCKS_DIFFER: Final = timedelta(minutes=5)


def make_account(client: stripe.StripeClient, key: str, to: Instruction) -> Any:
    """A connected account with one bank account, which pays out only when it is told to."""
    bank_account = {
        "object": "bank_account", "country": "JP", "currency": CURRENCY, "routing_number": to.bank + to.branch,
        "account_number": to.number, "account_holder_name": to.holder, "account_holder_type": "individual",
        "account_type": to.kind,
    }  # fmt: skip
    params: Any = {
        "country": "JP", "default_currency": CURRENCY, "business_type": "individual",
        "controller": {
            "fees": {"payer": "application"}, "losses": {"payments": "application"},
            "requirement_collection": "application", "stripe_dashboard": {"type": "none"},
        },
        "capabilities": {"transfers": {"requested": True}},
        "settings": {"payouts": {"schedule": {"interval": "manual"}}},
        "external_account": bank_account, "metadata": {"account": to.account_id},
    }  # fmt: skip
    return client.v1.accounts.create(params, {"idempotency_key": key})


def find_accounts(client: stripe.StripeClient, wanted: set[str], since: datetime) -> dict[str, Any]:
    """Connected accounts for these payment accounts that were made since then: they are listed, by pages."""
    params: Any = {"limit": A_PAGE, "created": {"gte": _seconds(since)}}
    found = client.v1.accounts.list(params).auto_paging_iter()
    return {one["metadata"]["account"]: one for one in found if _named(one, "account") in wanted}


def make_transfer(client: stripe.StripeClient, key: str, *, reference: str, amount: int, account: str) -> Any:
    """Money from us to a connected account."""
    params: Any = {
        "amount": amount, "currency": CURRENCY, "destination": account, "transfer_group": reference,
        "metadata": {"refund": reference},
    }  # fmt: skip
    return client.v1.transfers.create(params, {"idempotency_key": key})


def find_transfer(client: stripe.StripeClient, *, reference: str) -> Any:
    """The transfer of a reference, None where there is none."""
    params: Any = {"transfer_group": reference, "limit": A_PAGE}
    return _of(client.v1.transfers.list(params).auto_paging_iter(), reference)


def make_payout(
    client: stripe.StripeClient, key: str, *, reference: str, amount: int, account: str, external: str
) -> Any:
    """Money from a connected account to its bank account."""
    params: Any = {
        "amount": amount, "currency": CURRENCY, "destination": external, "method": "standard",
        "metadata": {"refund": reference},
    }  # fmt: skip
    return client.v1.payouts.create(params, {"idempotency_key": key, "stripe_account": account})


def find_payout(client: stripe.StripeClient, *, reference: str, account: str, since: datetime) -> Any:
    """The payout of a reference from an account since then, None where there is none."""
    params: Any = {"limit": A_PAGE, "created": {"gte": _seconds(since)}}
    return _of(client.v1.payouts.list(params, {"stripe_account": account}).auto_paging_iter(), reference)


def make_reversal(client: stripe.StripeClient, key: str, *, reference: str, amount: int, transfer: str) -> Any:
    """The money of a transfer back to us."""
    params: Any = {"amount": amount, "metadata": {"refund": reference}}
    return client.v1.transfers.reversals.create(transfer, params, {"idempotency_key": key})


def find_reversal(client: stripe.StripeClient, *, reference: str, transfer: str) -> Any:
    """The reversal of a transfer, None where there is none."""
    params: Any = {"limit": A_PAGE}
    return _of(client.v1.transfers.reversals.list(transfer, params).auto_paging_iter(), reference)


def forget_account(client: stripe.StripeClient, *, account: str) -> Any:
    """Delete a connected account, with the bank account and the holder's name that Stripe has."""
    return client.v1.accounts.delete(account)


def ask_payout(client: stripe.StripeClient, *, payout: str, account: str) -> Any:
    """A payout as it is now."""
    return client.v1.payouts.retrieve(payout, None, {"stripe_account": account})


def _of(found: Iterable[Any], reference: str) -> Any:
    return next((one for one in found if _named(one, "refund") == reference), None)


def _named(one: Any, name: str) -> str | None:
    return one["metadata"][name] if name in (one["metadata"] or {}) else None


def _seconds(since: datetime) -> int:
    return int((since - CLOCKS_DIFFER).timestamp())
