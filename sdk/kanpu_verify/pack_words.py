"""What the checks of evidence packs say, in English and Japanese: (when it holds or is a note, when it does not)."""

from collections.abc import Mapping
from typing import Final

ANEW: Final = {
    "en": "Have the pack made anew: made again it is the same, byte for byte, and its SHA-256 is in the audit log.",
    "ja": "証拠一式を作り直してもらってください。作り直しても同じバイト列になり、そのSHA-256は監査ログにあります。",
}

ENGLISH: Final[Mapping[str, tuple[str, ...]]] = {
    "pack_file": (
        "All {files} files are as the manifest lists them. SHA-256 of the pack: {sha256}",
        "This file was changed, added or taken away: {name}",
    ),
    "pack_counts": (
        "The {tables} tables have the {records} records and the control totals that are listed.",
        "Records or control totals are not those listed: {name}",
    ),
    "pack_unreadable": ("", "A part cannot be read: {place}"),
    "pack_digest": (
        "The run's figures make the digest that auditors signed: {digest}",
        "The run's figures do not make the digest that auditors signed; they make {digest}",
    ),
    "pack_signatures": ("Signed by: {names}",),
    "pack_evidence": (
        "The {files} archive files are those in the digest.",
        "The list of archive files is not the one in the digest.",
    ),
    "pack_rules": (
        "The scheme file is the one that the run names.",
        "The scheme file is not the one that the run names.",
    ),
    "pack_shares": (
        "The {lines} shares follow from the scheme file's rates.",
        "Shares do not follow from the scheme file's rates: {wrong}",
    ),
    "pack_statement": (
        "The statement is of this run and this pack's resident.",
        "The statement is not of this run, its root or this pack's resident.",
    ),
    "pack_purchases": (
        "{purchases} purchases make the entries: {plain} as their tills sent them, {settled} after what followed them.",
        "Purchases and entries do not agree: {wrong}",
    ),
    "pack_totals": (
        "The {entries} entries add up to the totals.",
        "The {entries} entries do not add up to the totals.",
    ),
    "pack_spend": (
        "The entries add up to the statement's spend: {spend}.",
        "The entries do not add up to the statement's spend; they make {spend}.",
    ),
    "pack_refund": (
        "Recomputed from the entries, the refund is {again}.",
        "Recomputed from the entries, the refund is {again}; the statement says {entitled}.",
    ),
    "pack_refund_left_out": (
        "The refund is not recomputed here: its limits need more than one person's year, or this rounding is unknown.",
    ),
    "pack_result": (
        "The office's own recomputation from the purchases gave the same: {refund}.",
        "The office's own recomputation from the purchases gave something else: {refund}.",
    ),
    "pack_seals": ("{seals} seals are signed by their terminals' keys.", "These seals do not hold: {wrong}"),
    "pack_chain": (
        "Of {seals} seals the office recomputed {checked} chains of records. That takes tokens, which no pack has.",
    ),
    "pack_no_seals": ("No till sealed these records.",),
    "pack_tree_before": (
        "The tree goes on from the {size} refunds of the runs before.",
        "The tree does not go on from where the run before left it.",
    ),
    "pack_refunds": (
        "Each of the {refunds} refunds was recomputed from its spend and is the same.",
        "{wrong} refunds are not what their spend brings. The first places in the tree: {first}",
    ),
    "pack_refunds_left_out": (
        "The {refunds} refunds give what the runs before left; their limits need more than one person's year.",
        "{wrong} refunds are not the difference to the runs before. The first places in the tree: {first}",
    ),
    "pack_sums": (
        "They add up to what the run gives: {refunds} refunds, {due}.",
        "They do not add up to what the run gives; they are {refunds} refunds, {due}.",
    ),
    "pack_leaves": (
        "Their leaves make the run's root, of {size} in all: {root}",
        "Their leaves do not make the run's root; of {size} they make {root}",
    ),
    "pack_log": (
        "{events} events stand in the audit log of {size} entries.",
        "These entries are not those in the audit log of {size} entries: {wrong}",
    ),
    "pack_log_later": ("{events} events are in no signed checkpoint yet.",),
    "pack_log_unsigned": ("The audit log had no signed checkpoint: nothing proves the {events} events.",),
    "pack_log_digest": (
        "The log has this digest of the run.",
        "The log has another digest of the run than {digest}",
    ),
    "pack_checkpoint": (
        "The log's checkpoint of {size} entries is signed. Compare the key with the log's: {key}",
        "The signature of the log's checkpoint of {size} entries is wrong.",
    ),
    "pack_checkpoint_unchecked": ("The pack has no key of the audit log: its checkpoint's signature is not checked.",),
}

JAPANESE: Final[Mapping[str, tuple[str, ...]]] = {
    "pack_file": (
        "{files} 個のファイルは目録どおりです。証拠一式のSHA-256：{sha256}",
        "このファイルが変更、追加または削除されています：{name}",
    ),
    "pack_counts": (
        "{tables} 表の記録 {records} 件と統制合計は目録どおりです。",
        "件数または統制合計が目録と合いません：{name}",
    ),
    "pack_unreadable": ("", "読み取れない部分があります：{place}"),
    "pack_digest": (
        "精算の数値は監査人が署名したダイジェストと一致します：{digest}",
        "精算の数値が監査人の署名したダイジェストと一致しません。数値からは {digest} になります。",
    ),
    "pack_signatures": ("署名者：{names}",),
    "pack_evidence": (
        "保存ファイル {files} 個はダイジェストに含まれるものです。",
        "保存ファイルの一覧がダイジェストのものと違います。",
    ),
    "pack_rules": ("制度ファイルは精算が示すものです。", "制度ファイルが精算の示すものと違います。"),
    "pack_shares": (
        "{lines} 行の還付割合は制度ファイルの税率どおりです。",
        "還付割合が制度ファイルの税率と合いません：{wrong}",
    ),
    "pack_statement": (
        "明細書はこの精算、この証拠の対象者のものです。",
        "明細書がこの精算、そのルート、またはこの証拠の対象者のものではありません。",
    ),
    "pack_purchases": (
        "購入 {purchases} 件が集計と合います。端末の送信どおり {plain} 件、返品等の反映後 {settled} 件。",
        "購入と集計が合いません：{wrong}",
    ),
    "pack_totals": ("集計 {entries} 行の合計は累計と合います。", "集計 {entries} 行の合計が累計と合いません。"),
    "pack_spend": (
        "集計の合計は明細書の支出と合います：{spend}。",
        "集計の合計が明細書の支出と合いません。合計は {spend} です。",
    ),
    "pack_refund": (
        "集計から再計算した還付額は {again} です。",
        "集計から再計算した還付額は {again} ですが、明細書では {entitled} です。",
    ),
    "pack_refund_left_out": ("還付額はここでは再計算しません。限度額の計算に一人の一年分以外の情報が必要です。",),
    "pack_result": (
        "当局が購入から再計算した結果も同じです：{refund}。",
        "当局が購入から再計算した結果が違います：{refund}。",
    ),
    "pack_seals": ("封印 {seals} 個は端末の鍵で署名されています。", "次の封印は正しくありません：{wrong}"),
    "pack_chain": (
        "封印 {seals} 個のうち {checked} 個の連鎖は当局が再計算しました。再計算に必要なトークンは収録されません。",
    ),
    "pack_no_seals": ("これらの記録に端末の封印はありません。",),
    "pack_tree_before": (
        "台帳は前回までの還付 {size} 件に続いています。",
        "台帳が前回の終わりから続いていません。",
    ),
    "pack_refunds": (
        "還付 {refunds} 件をすべて支出から再計算し、一致しました。",
        "還付 {wrong} 件が支出から計算した額と違います。台帳での位置（先頭）：{first}",
    ),
    "pack_refunds_left_out": (
        "還付 {refunds} 件は前回までとの差額です。限度額の計算には一人の一年分以外の情報が必要です。",
        "還付 {wrong} 件が前回までとの差額ではありません。台帳での位置（先頭）：{first}",
    ),
    "pack_sums": (
        "合計は精算の額と合います：{refunds} 件、{due}。",
        "合計が精算の額と合いません。合計は {refunds} 件、{due} です。",
    ),
    "pack_leaves": (
        "台帳の {size} 件から精算のルートが得られます：{root}",
        "台帳から精算のルートが得られません。{size} 件からは {root} になります。",
    ),
    "pack_log": (
        "出来事 {events} 件は、記録 {size} 件の監査ログにあります。",
        "次の記録は、記録 {size} 件の監査ログのものではありません：{wrong}",
    ),
    "pack_log_later": ("出来事 {events} 件はまだ署名済みチェックポイントに含まれていません。",),
    "pack_log_unsigned": ("監査ログに署名済みチェックポイントがなかったため、出来事 {events} 件は証明されません。",),
    "pack_log_digest": (
        "監査ログにも精算のこのダイジェストがあります。",
        "監査ログにある精算のダイジェストは {digest} と違います。",
    ),
    "pack_checkpoint": (
        "監査ログ {size} 件のチェックポイントは署名されています。鍵を比べてください：{key}",
        "監査ログ {size} 件のチェックポイントの署名が正しくありません。",
    ),
    "pack_checkpoint_unchecked": ("監査ログの鍵が収録されていないため、署名は検証していません。",),
}
