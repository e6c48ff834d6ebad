"""What each column of a pack's tables means, in English and Japanese. Amounts are in the currency's minor unit."""

from collections.abc import Iterable, Iterator
from typing import Final

COLUMNS: Final[dict[str, tuple[str, str]]] = {
    "terminal": ("The terminal's code", "端末コード"),
    "seq": ("The record's number at its terminal", "端末内の記録番号"),
    "kind": ("A sale, return, void, correction, or an office's ruling", "種別（販売、返品、取消、訂正、決定）"),
    "at": ("When, as the till or the office says (ISO 8601)", "日時（端末または当局による、ISO 8601）"),
    "received_at": ("When the server took it (UTC)", "サーバーの受領日時（UTC）"),
    "of": ("The record that it is about, as terminal:number", "対象の記録（端末:番号）"),
    "lines": ("What was sent, as tier=amount", "送信された内容（税率区分=金額）"),
    "line_sha256": (
        "SHA-256 of the whole record with its token, which the pack does not have",
        "トークンを含む記録全体のSHA-256（トークン自体は収録しない）",
    ),
    "code": ("Why it was refused, held or ruled, if it was", "拒否・保留・決定の理由コード"),
    "last_seq": ("Up to which number the seal goes", "封印が及ぶ最後の番号"),
    "head": ("The chain's digest after that number", "その番号までの連鎖ダイジェスト"),
    "signature": ("The till's Ed25519 signature of the head", "ダイジェストに対する端末のEd25519署名"),
    "public_key": ("The terminal's public key that the signature holds under", "署名を検証できる端末の公開鍵"),
    "covers": ("The records of this pack that the seal covers", "この封印が及ぶ本証拠内の記録番号"),
    "chain": (
        "Whether the office recomputed the chain from the seal before: yes, no, or not possible",
        "当局が直前の封印から連鎖を再計算した結果（yes、no、unknown）",
    ),
    "month": ("Month of the sale, 1 to 12", "購入月（1〜12）"),
    "tier": ("Tax tier", "税率区分"),
    "amount_minor": ("Amount, tax included; below 0 takes away", "税込金額（負は減額）"),
    "run": ("The run under which it was counted", "集計された精算回"),
    "of_terminal": ("Terminal of the sale that it belongs to", "属する購入の端末"),
    "of_seq": ("Number of the sale that it belongs to", "属する購入の番号"),
    "purchases": ("How many purchases have something left", "残額のある購入件数"),
    "bases_minor": ("What single purchases bring, where the scheme asks", "購入ごとの還付対象額（制度による）"),
    "plain": ("Whether nothing followed the purchase", "後続の記録がないか"),
    "leaf_index": ("Place in the year's tree of refunds, from 0", "還付台帳での位置（0から）"),
    "entitled_minor": ("Refund for the whole year", "年間の還付額"),
    "earlier_minor": ("What earlier runs gave", "前回までの還付額"),
    "due_minor": ("What this run adds", "今回の支払額"),
    "at_cap": ("1 where the cap cut it", "上限に達した場合は1"),
    "spend_minor": ("Spend on each line of run.json, in order", "run.jsonの各行の支出（順番どおり）"),
    "cuts": ("Cuts as rule:period=before>after, in units of 1/denominator", "減額（規則:期間=前>後）"),
    "leaf": ("The refund's hash in the tree", "還付台帳のハッシュ"),
    "path": ("A file of the archive that was read, below its folder", "読み取った保存ファイルのパス"),
    "sha256": ("SHA-256 of the file", "ファイルのSHA-256"),
    "position": ("Place in the audit log, from 0", "監査ログでの位置（0から）"),
    "data": ("The log's entry, as it was hashed", "ハッシュされた監査ログの記録"),
    "inclusion": ("Hashes up to the checkpoint's root (RFC 9162)", "署名済みルートまでのハッシュ（RFC 9162）"),
    "tax_year": ("Tax year", "年分"),
    "agrees": ("Whether the closing agrees with the records", "締めの合計と記録の一致"),
    "reported": ("Totals as the till reported them", "端末が報告した合計"),
    "recorded": ("Totals of the records", "記録の合計"),
    "record": ("The record filed as evidence, as the trail calls it", "証拠として登録された記録（監査証跡での名称）"),
    "added_by": ("Who filed it", "登録者"),
    "added_at": ("When it was filed (UTC)", "登録日時（UTC）"),
    "terminal_number": ("The terminal's number, as the trail calls it", "端末番号（監査証跡での番号）"),
    "state": ("How far it is: heard, proposed, approved, dropped", "状態（heard、proposed、approved、dropped）"),
    "told_by": ("Who told the resident", "居住者に知らせた者"),
    "told_at": ("When the resident was told (UTC)", "居住者に知らせた日時（UTC）"),
    "reply_ends_at": ("Until when the resident could reply (UTC)", "回答期限（UTC）"),
    "replied_at": ("When the resident replied (UTC)", "回答日時（UTC）"),
    "proposed_by": ("Who proposed it", "提案者"),
    "approved_by": ("Who approved it: another one", "承認者（別の者）"),
    "decided_at": ("When it was decided (UTC)", "決定日時（UTC）"),
    "decision": ("Number of the decision", "決定の番号"),
    "file": ("File of this pack", "本証拠のファイル"),
    "column": ("Column of the file", "ファイルの列"),
    "en": ("Meaning in English", "英語での意味"),
    "ja": ("Meaning in Japanese", "日本語での意味"),
}  # fmt: skip


def dictionary(tables: Iterable[tuple[str, Iterable[str]]]) -> Iterator[tuple[str, str, str, str]]:
    """A row for each column of each table: file, column, English, Japanese."""
    for path, columns in tables:
        for column in columns:
            yield (path, column, *COLUMNS[column])
