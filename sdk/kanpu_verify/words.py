"""What the checks say, in English and Japanese: (when it holds or is a note, when it does not, what to do then)."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from kanpu_verify import pack_words

LANGUAGES: Final = ("en", "ja")


class Words(NamedTuple):
    """The words for one finding; a note has the first only."""

    holds: str
    fails: str = ""
    remedy: str = ""


_NEW_FILE: Final = {
    "en": "Get the statement anew from the portal and check that file. If it fails, too, object to the refund office.",
    "ja": "ポータルから明細書を取り直して、もう一度検証してください。それでも合わなければ還付担当に申し出てください。",
}

_ENGLISH: Final[Mapping[str, Words]] = {
    "due": Words(
        "The amount due is the refund less what earlier runs paid: {entitled} - {earlier} = {due}.",
        "The amount due is not the refund less what earlier runs paid: {entitled} - {earlier} is not {due}.",
        _NEW_FILE["en"],
    ),
    "arithmetic": Words(
        "The lines add up to the refund: {total} before rounding, {entitled} after.",
        "The lines do not add up to the refund: they make {total}, the refund is {entitled}.",
        _NEW_FILE["en"],
    ),
    "arithmetic_cut": Words(
        "The lines add up to the amount before the cap: {total}. The cap leaves {after}, the refund is {entitled}.",
        "The lines make {total}, the cap was put on {before} and left {after}, the refund is {entitled}: no match.",
        _NEW_FILE["en"],
    ),
    "arithmetic_left_out": Words(
        "The lines are not added up here: limits by purchase, month or household need more than this file has."
    ),
    "inclusion": Words(
        "These figures are statement {number} of the {size} in the list with this root.",
        "These figures are not statement {number} of {size} in the list with this root: something was changed.",
        _NEW_FILE["en"],
    ),
    "order": Words(
        "The statement stands where run {run} belongs, and no run before it is left out.",
        "The statement does not stand where run {run} belongs, or a run before it is left out.",
        _NEW_FILE["en"],
    ),
    "consistency": Words(
        "Nothing was changed since run {run}: its {old_size} statements are the first of the {size}. Its root: {root}",
        "The list of run {run} with {old_size} statements was changed later, or its root is wrong: {root}",
        _NEW_FILE["en"],
    ),
    "root": Words(
        "The root is the one you gave: {published}",
        "The root is not the one you gave. You gave {published}, the statement has {root}",
        "See that it is the root published for {year} with {size} statements. If so, object to the refund office.",
    ),
    "root_to_compare": Words(
        "Compare this root with the published one for {year} with {size} statements, or give it with --root: {root}"
    ),
    "not_covered": Words(
        "Proven are spend, cuts and amounts; not the explanations, the names of scheme and currency, the run's digest."
    ),
}

_JAPANESE: Final[Mapping[str, Words]] = {
    "due": Words(
        "支払額は還付額から支払済みの額を引いたものです：{entitled} - {earlier} = {due}。",
        "支払額が還付額から支払済みの額を引いたものと合いません：{entitled} - {earlier} は {due} ではありません。",
        _NEW_FILE["ja"],
    ),
    "arithmetic": Words(
        "各行の合計は還付額と合います：端数処理前 {total}、処理後 {entitled}。",
        "各行の合計が還付額と合いません：合計は {total}、還付額は {entitled} です。",
        _NEW_FILE["ja"],
    ),
    "arithmetic_cut": Words(
        "各行の合計は上限適用前の額と合います：{total}。上限適用後は {after}、還付額は {entitled} です。",
        "各行の合計は {total}、上限適用前は {before}、適用後は {after}、還付額は {entitled} で、互いに合いません。",
        _NEW_FILE["ja"],
    ),
    "arithmetic_left_out": Words(
        "各行の合計はここでは検算しません。買い物ごと、月ごと、世帯ごとの限度は、このファイルだけでは計算できません。"
    ),
    "inclusion": Words(
        "この数字は、このルートをもつ一覧の明細書 {size} 件のうち {number} 番目です。",
        "この数字は、このルートをもつ一覧の {size} 件のうち {number} 番目の明細書ではありません。変更されています。",
        _NEW_FILE["ja"],
    ),
    "order": Words(
        "明細書は第 {run} 回の位置にあり、それより前の回はすべてそろっています。",
        "明細書が第 {run} 回の位置にないか、それより前の回が抜けています。",
        _NEW_FILE["ja"],
    ),
    "consistency": Words(
        "第 {run} 回から何も変えられていません。その {old_size} 件は {size} 件の先頭にあります。その回のルート：{root}",
        "第 {run} 回の一覧（{old_size} 件）が後から変えられたか、そのルートが正しくありません：{root}",
        _NEW_FILE["ja"],
    ),
    "root": Words(
        "ルートは指定されたものと同じです：{published}",
        "ルートが指定されたものと違います。指定は {published}、明細書は {root} です。",
        "{year} 年分、{size} 件として公表されたルートか確かめてください。そうであれば、還付担当に申し出てください。",
    ),
    "root_to_compare": Words(
        "このルートを {year} 年分、{size} 件として公表されたものと比べるか、--root で指定してください：{root}"
    ),
    "not_covered": Words(
        "証明されるのは支出、減額、金額です。説明文、制度と通貨の名称、精算のダイジェストは含まれません。"
    ),
}


def _of_packs(words: Mapping[str, tuple[str, ...]], language: str) -> Mapping[str, Words]:
    return {name: Words(said[0], said[-1], pack_words.ANEW[language]) for name, said in words.items()}


FINDINGS: Final[Mapping[str, Mapping[str, Words]]] = {
    "en": {**_ENGLISH, **_of_packs(pack_words.ENGLISH, "en")},
    "ja": {**_JAPANESE, **_of_packs(pack_words.JAPANESE, "ja")},
}

MARKS: Final[Mapping[str, Mapping[bool | None, str]]] = {
    "en": {True: "holds", False: "FAILS", None: "note "},
    "ja": {True: "適合  ", False: "不適合", None: "注記  "},
}

TODO: Final = {"en": "What to do: {remedy}", "ja": "どうするか：{remedy}"}

HOLDS: Final = {"en": "{file}: all of it holds.", "ja": "{file}：すべて適合しました。"}
HOLDS_UNDER_ITS_ROOT: Final = {
    "en": "{file}: all of it holds, if the root below is the published one.",
    "ja": "{file}：下のルートが公表されたものであれば、すべて適合しています。",
}
FAILS: Final = {"en": "{file}: SOMETHING DOES NOT HOLD.", "ja": "{file}：適合しない項目があります。"}

UNUSABLE: Final = {
    "en": "{file}: cannot be checked: {place}: {needs}. Get the statement anew from the portal, as JSON.",
    "ja": "{file}：検証できません。{place}：{needs}。ポータルからJSONの明細書を取り直してください。",
}
UNUSABLE_PACK: Final = {
    "en": "{file}: cannot be checked: {place}: {needs}. " + pack_words.ANEW["en"],
    "ja": "{file}：検証できません。{place}：{needs}。" + pack_words.ANEW["ja"],
}
FRAME: Final = {
    "en": "{file}: SOMETHING DOES NOT HOLD. The pack's frame was changed, or the pack was cut, at: {place}. ",
    "ja": "{file}：適合しない項目があります。証拠一式の枠が変更されたか、途中で切れています。場所：{place}。",
}

NEEDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "file": "the file cannot be read",
        "json": "this is not JSON in UTF-8, or it names a field twice",
        "format": "this checker knows only 'kanpu refund statement v1'",
        "object": "should be an object",
        "list": "should be a list",
        "integer": "should be a whole number that is possible here",
        "uuid": "should be a UUID in lower case",
        "hash": "should be 64 hexadecimal digits in lower case",
        "hashes": "should be a list of 64 hexadecimal digits each, in lower case",
        "tier": "should be the code of a tax tier",
        "there": "the pack has no such file",
        "table": "should be a table, each row with its columns",
        "pack_format": "this checker knows only 'kanpu evidence pack v1'",
        "share": "should be two whole numbers, the second above 0",
    },
    "ja": {
        "file": "ファイルを読めません",
        "json": "UTF-8のJSONでないか、同じ項目が二度あります",
        "format": "この検証プログラムが扱うのは kanpu refund statement v1 だけです",
        "object": "オブジェクトが必要です",
        "list": "リストが必要です",
        "integer": "ここで可能な整数が必要です",
        "uuid": "小文字のUUIDが必要です",
        "hash": "小文字の16進数64桁が必要です",
        "hashes": "小文字の16進数64桁のリストが必要です",
        "tier": "税率区分のコードが必要です",
        "there": "このファイルがありません",
        "table": "列のそろった表が必要です",
        "pack_format": "この検証プログラムが扱うのは kanpu evidence pack v1 だけです",
        "share": "二つの整数（二つ目は0より大きいもの）が必要です",
    },
}
