"""What went wrong, in words for auditors and offices: by the error's code, with what to do."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.kernel.errors import KanpuError

OF_OFFICES: Final[dict[str, Promise]] = {
    "alarm_not_open": _("Somebody dealt with these alarms before, or took the dismissal back. Look at the list again."),
    "alarm_rules_invalid": _("The rule was changed by somebody else meanwhile, or cannot be so. Look at it again."),
    "resident_unknown": _("Nobody is registered under these particulars. Check them, digit by digit."),
    "rate_limited": _("Too many particulars belonged to nobody. Nothing more is looked up for you in these 24 hours."),
    "vault_keys_missing": _("This server has no keys of the vault. Tell your operators; nothing was changed."),
    "vault_keys_outdated": _("This server's keys of the vault are not up to date. Tell your operators."),
    "vault_damaged": _("A value of the vault does not open: it was altered. Tell your operators at once."),
    "card_missing": _("There is no such card, or it has ended, or it is active already. Look at the cards again."),
    "card_not_suspended": _("The card is not suspended."),
    "lost_in_the_future": _("This time has not come yet."),
    "documents_insufficient": _("Check one document with a photo, or two others."),
    "channel_not_allowed": _("A card is made good again in the portal or in person only."),
    "not_resident": _("The holder is not resident any more: keep the card and destroy it."),
    "table_unreadable": _("This is no table of residents: CSV in UTF-8 or CP932 with the columns of docs/register.md."),
    "purchase_missing": _("The resident has no such purchase, or it was withdrawn. Look at the purchases again."),
    "answer_final": _("The filing deadline of the purchase's year is over: the answer can no longer be changed."),
    "too_many_answers": _("Too many purchases at once. Answer for those of one page."),
    "too_late_to_withdraw": _("The year of this purchase is frozen: it can no longer be withdrawn."),
    "account_not_under_review": _("This account does not wait for a review any more. Look at the list again."),
    "account_reviewed_by_asker": _("You entered this account yourself: another clerk must compare the names."),
    "resident_erased": _("The resident's data was erased: no account can be named."),
    "proxy_code_unknown": _("Nobody has this code, or it is no longer good. Have a new one made."),
    "own_proxy": _("This is the resident's own code: it is for being named by somebody else."),
    "proxy_missing": _("There is no such proxy, or it has ended already. Look again."),
    "proxy_too_long": _("The last day is over already, or too far away."),
    "no_household": _("No household is registered for the resident now."),
    "child_does_not_consent": _("The share is paid to the registered parent, who sees it anyway. The others do not."),
    "protected_stays_hidden": _("A protected resident stays hidden from the household."),
    "second_officer": _("You asked for it yourself, or your role does not approve it: another officer has to."),
    "glass_closed": _("There is no such request, or it was answered, or its time is over. Look again."),
    "glass_asked_before": _("You asked for this resident already: another officer answers."),
    "reference_unknown": _("No resident has this reference. Check it, digit by digit."),
    "officer_unknown": _("No officer has this user name."),
    "reset_closed": _("It was asked for already, or it was done. Look again."),
    "notice_missing": _("No letter was printed under this number. Check the number on the letter."),
    "notice_returned": _("It is on record already that this letter came back."),
    "answerer_looked": _("You looked yourself: somebody else of your office, or an auditor, answers."),
    "answered_before": _("This question was answered before."),
}
PROBLEMS: Final[dict[str, Promise]] = OF_OFFICES | {
    "step_running": _("A step of this year is at work already. Wait until it is done."),
    "wrong_state": _("The run is not in the state that this step starts from. Look at its state below."),
    "run_outdated": _("There is a newer run of this year. Steps are taken on the newest one only."),
    "resident_protected": _("This resident is protected: where and when they shopped is for named officers only."),
    "search_name_taken": _("You have a search of this name. Choose another one."),
    "search_wrong": _("This search has filters that there are not any more. Delete it and make it anew."),
    "run_missing": _("There is no such run. Freeze the year first."),
    "outbox_not_empty": _("Purchases wait to be counted and nobody counts them. Start a worker, then try again."),
    "archive_damaged": _("A file of the archive is not the one that was written. Write it anew: restore_archive."),
    "archive_conflict": _("A file is in the archive's way. Move it away: archived files are never written over."),
    "assessments_differ": _("The two assessments do not agree. Nobody is paid until it is known why."),
    "dues_differ": _("What all runs give is not what residents are entitled to. Undo the assessment and assess again."),
    "entries_invalid": _("The archive has an entry that the scheme has no rate for, or one of another year."),
    "interrupted": _("It was interrupted. Start it again: what was done is not done twice."),
    "no_rate": _("Residents bought in tiers for which the scheme has no rate."),
    "already_signed": _("You have signed this run. The second signature must be another auditor's."),
    "not_an_auditor": _("Only active members of the auditors' group can sign."),
    "digest_changed": _("The digest is not the one that you were shown. Read the run again before you sign."),
    "wrong_password": _("The password is not right. Nothing was signed: type your own password again."),
    "not_settled": _("Refunds of this run are neither paid nor netted nor lapsed. Close it when all are."),
    "payee_changed": _("A household took back that its head is paid. Your operators drop this file and make it again."),
    "does_not_add_up": _("The payments of this run do not add up. Tell your operators: reconcile_payouts says where."),
    "batch_missing": _("There is no such file. Look at the page again."),
    "batch_state": _("The file does not wait for an approval any more. Look at the page again."),
    "approved_by_same": _("You have approved this file. The second approval must be another auditor's."),
    "other_file": _("The file is another one than you were shown. Read its SHA-256 again before you approve it."),
    "file_changed": _("The file was changed since it was made: nobody may approve it. Tell your operators."),
    "statement_missing": _("There is no such refund: the resident has none in this year, or the run is not verified."),
    "decision_missing": _("There is no such decision."),
    "not_notified": _("The resident was not told of this decision yet. Record first when it was sent."),
    "told_too_early": _("The decision was made after that day. Give the day on which the letter was sent."),
    "appeal_too_late": _("The time to appeal against this decision is over."),
    "decision_closed": _("This decision was appealed against, or its appeal decided, before."),
    "year_not_started": _("This tax year was not started."),
    "year_erased": _("The purchases of this year were erased at its retention date. Totals, refunds and proofs stay."),
    "dispute_missing": _("There is no such dispute, or the resident withdrew the purchase."),
    "dispute_closed": _("The dispute is not in the state that this starts from. Look at it again."),
    "same_officer": _("You had a part in this decision: another officer has to do this."),
    "proposal_changed": _("The proposal is another one by now. Read it again before you approve it."),
    "amounts_invalid": _("A sale of that day cannot have these amounts, or its tiers were not in force."),
    "purchase_not_admitted": _("The purchase is refused like a till's: its day, tiers or amounts are not possible."),
    "claim_not_resident": _("The resident did not live here on that day: the purchase brings nothing."),
    "for_named_officers": _("The resident is protected: an officer for protected residents has to look at it."),
    "delay_too_long": _("The last day is over already, or more than six months away."),
    "delay_closed": _("There is no such delay, or it is over, or that was done before. Look again."),
    "delayed_before": _("Your notices to this resident are delayed for this case already."),
    "pack_running": _("This pack is being made already. Look at the page again."),
    "pack_missing": _("The file is gone: have it made again, it will be the same."),
    "pack_too_large": _("The pack would be larger than 4 GiB. Take packs of single refunds."),
    "case_missing": _("There is no such case."),
    "case_closed": _("The case is closed. Open another one if there is more to say."),
    "case_undecided": _("First decide about each purchase of this case; what takes money needs one that two annulled."),
    "record_unreadable": _("This is no such reference. A purchase is terminal/number, a run year/number."),
    "record_missing": _("Nothing of this reference is there. Check it, digit by digit."),
    "already_heard": _("This purchase is dealt with already, in this case or in another."),
    "reply_time_short": _("The resident gets at least two weeks to reply: choose a later day."),
    "not_heard_yet": _("The resident may still reply. Wait for the reply, or until the time is over."),
    "annulment_missing": _("Nothing is held against this purchase any more: the resident withdrew it."),
    "annulment_closed": _("It is not in the state that this starts from. Look at it again."),
    "photo_missing": _("There is no photo, or it was deleted when the dispute was decided."),
    "sample_impossible": _("What is expected has to be well below what is tolerated. Change one of them."),
    "sample_too_large": _("More than 10,000 items would be drawn. Tolerate more, or be less sure."),
    "population_empty": _("Nothing is in this population. Choose another year or fewer filters."),
    "failed": _("The sample could not be drawn. Tell your operators: the workers' log says why."),
    "item_decided": _("Somebody found something of this item before. Take that back first."),
    "item_undecided": _("Nothing was found of this item yet."),
    "right_amount_missing": _("Give the right amount of a deviation: it is not the recorded one."),
    "returns_unreadable": _(
        "This is no table of returns: CSV in UTF-8 or CP932 whose first line has registration_number, from, to, and a"
        " column for each rate, such as sales_at_8 and sales_at_10."
    ),
    "document_unprintable": _("The document has a character that cannot be printed. Write that text otherwise."),
}


def in_words(error: KanpuError) -> str:
    """The error in the reader's language; one that is not listed says itself what to do."""
    return problem(error.code, str(error))


def problem(code: str, text: str) -> str:
    """The same for an error that was kept by its code and its text."""
    return str(PROBLEMS.get(code, text))
