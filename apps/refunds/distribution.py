"""Which tables a cluster spreads over its machines, which it copies to each, and which stay on its coordinator.

Pure data: a test holds it against the tables that there are, and `distribute_tables` brings a cluster to it. Whoever
adds a table adds it here (see docs/scaling.md).
"""

from typing import Final, NamedTuple


class Group(NamedTuple):
    """Tables whose rows of one value lie on one machine, by the column that says which: its type is the same in all."""

    columns: dict[str, str]
    why: str


class Rest(NamedTuple):
    """Tables that are not spread, and why."""

    tables: tuple[str, ...]
    why: str


DISTRIBUTED: Final = (
    Group(
        {
            "purchases_batch": "lane",
            "purchases_terminalstate": "lane",
            "purchases_purchase": "lane",
            "purchases_rejection": "lane",
            "purchases_outcome": "lane",
            "purchases_seal": "lane",
            "purchases_closing": "lane",
            "purchases_followup": "of_lane",
        },
        "a till's records, its place in the outbox and what follows its sales: one lane is one shard",
    ),
    Group({"purchases_claim": "claim"}, "sales without a card, looked up by the code on the receipt"),
    Group(
        {
            "accruals_entry": "resident_ref",
            "accruals_total": "resident_ref",
            "accruals_cardcounter": "resident_ref",
            "accruals_withheld": "resident_ref",
            "refunds_refund": "resident_ref",
            "refunds_member": "resident_ref",
            "refunds_settlement": "resident_ref",
            "refunds_lapsewarning": "resident_ref",
        },
        "all of a resident's account and refunds: joined with each other by the resident",
    ),
)
REFERENCE: Final = Rest(
    (
        "merchants_merchant",
        "merchants_store",
        "merchants_terminal",
        "merchants_terminalkey",
        "merchants_enrolmentcode",
        "merchants_vendor",
        "merchants_vendorauthorisation",
        "merchants_conformancereport",
        "merchants_apikey",
        "merchants_apikey_stores",
    ),
    "small, read with every batch and seldom changed; their foreign keys lead to each other only",
)
LOCAL: Final = (
    Rest(
        (
            "audit_event",
            "audit_accessrecord",
            "audit_logentry",
            "audit_logtile",
            "audit_loghead",
            "audit_checkpoint",
            "audit_accesscount",
            "audit_alarm",
            "audit_officer",
            "audit_keyreset",
            "audit_breakglass",
            "audit_noticedelay",
        ),
        "triggers keep the trail from being changed, and a cluster refuses triggers on tables that it spreads",
    ),
    Rest(
        ("schemes_schemeversion", "schemes_datedrate", "schemes_taxyear"),
        "triggers keep schemes from being changed; the year's row is what counting and a freeze lock",
    ),
    Rest(
        (
            "residents_resident",
            "residents_earlierresidence",
            "residents_registerevent",
            "residents_membership",
            "residents_attribute",
            "residents_recordingpause",
            "residents_judgingdue",
            "residents_vaultrecord",
            "residents_householdindex",
            "residents_paymentaccount",
            "residents_card",
            "residents_cardsuspension",
            "residents_cardorder",
            "residents_handover",
            "residents_testcard",
            "residents_phonemiss",
            "residents_photo",
            "residents_proxy",
            "residents_proxycode",
            "residents_proxycodemiss",
            "residents_proxyday",
            "residents_householdconsent",
            "residents_headpaymentconsent",
            "residents_notice",
            "residents_message",
            "residents_mailing",
            "residents_mail",
            "residents_accessquestion",
            "residents_keyfingerprint",
            "residents_sealingkey",
        ),
        "found by keyed indexes, not by resident, and held together by foreign keys: some 1 kB a resident",
    ),
    Rest(
        (
            "purchases_poison",
            "upkeep_heartbeat",
            "accruals_archivepart",
            "accruals_claimattempt",
            "refunds_run",
            "refunds_step",
            "refunds_shard",
        ),
        "what coordinates: rows that are locked, skipped and counted up, some thousands",
    ),
    Rest(("inspections_savedsearch", "inspections_export"), "what auditors keep, and the files that they asked for"),
    Rest(("refunds_tile",), "a year's Merkle tree, grown by one process in one order: 32 bytes a refund"),
    Rest(
        (
            "refunds_decision",
            "accruals_dispute",
            "inspections_case",
            "inspections_note",
            "inspections_annulment",
            "inspections_pack",
            "inspections_alarmrule",
            "inspections_alarmfinding",
            "inspections_alarmrecord",
            "inspections_alarmreview",
            "inspections_alarmlook",
            "inspections_alarmsearch",
        ),
        "worked on by officers, by its number, its stage and its deadline",
    ),
    Rest(
        ("inspections_sample", "inspections_sampleitem", "inspections_declaration"),
        "some thousands of rows a year, which officers work through in order",
    ),
    Rest(
        ("inspections_merchantmonth", "inspections_merchantyear", "inspections_amountcount"),
        "counted anew from the purchases, in one go: some hundred rows a merchant and year, lists of all merchants",
    ),
    Rest(
        (
            "payouts_obligation",
            "payouts_attempt",
            "payouts_attemptevent",
            "payouts_payableletter",
            "payouts_batch",
            "payouts_estimate",
            "payouts_paymenthold",
            "payouts_resultfile",
            "payouts_sendingbank",
            "payouts_stripeaccount",
            "payouts_stripecall",
            "payouts_stripeevent",
            "payouts_stripepayment",
        ),
        "worked on by file and state, found by the bank's references, and held together by keys across residents",
    ),
    Rest(
        (
            "portal_account",
            "portal_counter",
            "account_emailaddress",
            "account_emailconfirmation",
            "axes_accessattempt",
            "axes_accessattemptexpiration",
            "axes_accessfailurelog",
            "axes_accesslog",
            "mfa_authenticator",
            "socialaccount_socialaccount",
            "socialaccount_socialapp",
            "socialaccount_socialtoken",
            "usersessions_usersession",
            "auth_user",
            "auth_group",
            "auth_permission",
            "auth_user_groups",
            "auth_user_user_permissions",
            "auth_group_permissions",
            "django_admin_log",
            "django_content_type",
            "django_migrations",
            "django_session",
        ),
        "who signs in, how, and what the libraries for it keep; Django's own",
    ),
)
