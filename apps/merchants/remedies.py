"""What to do about each error of the catalogue, in groups of who sees it when. In both languages, side by side."""

from typing import Final, NamedTuple


class Words(NamedTuple):
    """The same in Japanese and English."""

    ja: str
    en: str


REQUEST: Final = Words("リクエスト全体", "A whole request")
RECORD: Final = Words("1件の記録：すぐに判定", "One record: decided at once")
LATER: Final = Words(
    "1件の記録：ワーカーが判定し、読み戻すとわかる", "One record: decided by workers, seen when it is read back"
)
TERMINAL: Final = Words("登録する1台の端末", "One terminal to enrol")

_SEND_AGAIN_LATER: Final = Words(
    "Retry-Afterの秒数だけ待ち、同じバイト列を送ります。",
    "Wait as long as Retry-After says, and send the same bytes again.",
)
_HELD: Final = Words(
    "レジですることはありません。カードの持ち主に確認します。",
    "Nothing to do at the till: the card's holder is asked.",
)

REMEDIES: Final[dict[Words, dict[str, Words]]] = {
    REQUEST: {
        "malformed": Words(
            "メッセージにある項目を直します。何も受け付けていません。",
            "Mend what the message names. Nothing of the request was taken.",
        ),
        "key_invalid": Words(
            "ヘッダーと、キーが失効していないかを確かめます。",
            "Check the header, and whether the key was revoked or has expired.",
        ),
        "https_required": Words(
            "アドレスをhttps://にします。キーは途中で読まれたおそれがあるため、新しいキーに替えます。",
            "Change the address to https://. The key could be read on the way: have it replaced.",
        ),
        "terminal_not_yours": Words(
            "端末コードと、キーのモード（本番かテストか）を確かめます。端末は先に登録します。",
            "Check the terminal's code and the key's mode, live or test. Enrol the terminal first.",
        ),
        "test_mode_only": Words("kp_test_のキーを使います。", "Use a kp_test_ key."),
        "scope_missing": Words(
            "そのスコープのあるキーを、自社の管理者に求めます。",
            "Ask whoever issues your keys for one with that scope.",
        ),
        "merchant_not_yours": Words(
            "事業者の番号を確かめ、事業者に承認を依頼します。",
            "Check the merchant's number, and ask the merchant to authorise you.",
        ),
        "enrolment_code_invalid": Words(
            "新しい一回限りのコードを発行し、48時間以内に使います。",
            "Issue a new one-time code, and use it within 48 hours.",
        ),
        "not_found": Words(
            "アドレスを確かめます。税率区分では、その日の年度が開いていません。",
            "Check the address. For tiers: no year of that day is open.",
        ),
        "method_not_allowed": Words(
            "Allowヘッダーにあるメソッドを使います。", "Use a method that the Allow header names."
        ),
        "batch_too_large": Words(
            "バッチを分けます。記録そのものは変えません。", "Split the batch; leave the records as they are."
        ),
        "unsupported_media_type": Words(
            "Content-TypeとContent-Encodingを直します。", "Mend Content-Type and Content-Encoding."
        ),
        "seal_missing": Words(
            "端末の鍵でバッチを封印します。鍵を失ったときは登録し直します。",
            "Seal the batch with the terminal's key. If the key is lost, enrol the till again.",
        ),
        "chain_broken": Words(
            "エラーのnext_seqから、保存した記録を順に送ります。その記録がなければ登録し直します。",
            "Send your stored records in order from the error's next_seq on. If they are lost, enrol the till again.",
        ),
        "seal_mismatch": Words(
            "正規の行、鎖、署名の順にテストベクトルで確かめます。",
            "Check the canonical lines, then the chain, then the signature, with the test vectors.",
        ),
        "rate_limited": _SEND_AGAIN_LATER,
        "unavailable": _SEND_AGAIN_LATER,
    },
    RECORD: {
        "seq_conflict": Words(
            "2台のレジが同じコードを使っていないか、記録を作り直していないかを調べます。売上は新しい番号で送ります。",
            "Find out whether two tills share a code, or a record was made anew. Send the sale under a new number.",
        ),
        "record_malformed": Words(
            "その項目を直します。番号は使用済みです。行や時刻の誤りなら、新しい番号のcorrectionで直せます。",
            "Mend that field in your software. The number is spent; a correction mends wrong lines or a wrong time.",
        ),
        "year_not_open": Words(
            "レジの時計を確かめ、sold_atのあるcorrectionを送ります。",
            "Check the till's clock, and send a correction with sold_at.",
        ),
        "year_closed": Words(
            "もう報告できません。時計の誤りなら、sold_atのあるcorrectionを送ります。",
            "It cannot be reported any more. If only the clock was wrong, send a correction with sold_at.",
        ),
        "from_the_future": Words(
            "時計を直し、sold_atのあるcorrectionを送ります。", "Set the clock, and send a correction with sold_at."
        ),
        "tier_unknown": Words(
            "GET /v1/tiersで区分を取得し、正しい行のcorrectionを送ります。",
            "Fetch the tiers from GET /v1/tiers, and send a correction with the right lines.",
        ),
        "tier_not_in_force": Words(
            "売上の日の区分を取得し、正しい行のcorrectionを送ります。",
            "Fetch the tiers of the day of the sale, and send a correction with the right lines.",
        ),
        "amount_invalid": Words(
            "0の区分は省きます。正しい行のcorrectionを送ります。",
            "Leave out tiers at 0, and send a correction with the right lines.",
        ),
        "card_and_claim": Words(
            "カードを読んだら請求コードを印刷しません。この記録は却下され、番号は使用済みです。",
            "Print no claim code once a card was read. This record is rejected and its number spent.",
        ),
    },
    TERMINAL: {
        "terminal_invalid": Words(
            "その項目を直し、もう一度送ります。ほかの端末は登録されています。",
            "Mend that field and send it again. The other terminals are enrolled.",
        ),
        "terminal_code_taken": Words(
            "ほかのコードを選びます。入れ替えたレジも新しいコードを使います。",
            "Choose another code. A till that replaces another has a new one, too.",
        ),
    },
    LATER: {
        "card_unknown": Words(
            "リーダーが正しい鍵とモードで、この端末と番号のために封じたかを確かめます。",
            "Check that the reader sealed with a key of the right mode, for this terminal and this number.",
        ),
        "cryptogram_wrong": Words(
            "トークンを別の記録に移していないか、リーダーを確かめます。",
            "Check the reader, and that no token was moved to another record.",
        ),
        "card_not_valid": Words(
            "レジですることはありません。客に新しいカードを求めてもらいます。",
            "Nothing to do at the till. The customer asks for a new card.",
        ),
        "return_exceeds_sale": Words(
            "返品の行をcorrectionで直すか、取り消します。メッセージに残りがあります。",
            "Mend the return's lines with a correction, or void it. The message says what is left.",
        ),
        "already_void": Words("すでに取り消されています。することはありません。", "It is void already: nothing to do."),
        "of_not_a_sale": Words(
            "ofの番号を確かめ、正しい記録を指す新しい記録を送ります。",
            "Check the number in of, and send a new record that names the right one.",
        ),
        "card_suspended": _HELD,
        "card_replaced": _HELD,
        "card_cloned": _HELD,
    },
}
