"""The first page of a pack, as PDF in Japanese. Pure."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from apps.kernel.documents.render import pdf
from apps.refunds.documents.money import money_text

TEMPLATE: Final = Path(__file__).parent / "summary.typ"
TITLES: Final = {
    "run": "証拠書類一式（年次精算）",
    "refund": "証拠書類一式（還付一件）",
    "case": "証拠書類一式（調査案件）",
}


def summary_pdf(kind: str, name: str, summary: Mapping[str, Any]) -> bytes:
    """The page of a pack of that kind and name. Raises DocumentUnprintable."""
    data = {
        "language": "ja",
        "title": TITLES[kind],
        "name": name,
        "facts": [list(pair) for pair in _facts(kind, summary)],
        "amount": list(_amount(kind, summary)) or None,
        "rows": [[row["file"], f"{row['records']:,}", _sums(row["sums"])] for row in summary["tables"]],
        "hashes": [list(pair) for pair in _hashes(summary)],
    }
    return pdf(TEMPLATE, data)


def _facts(kind: str, summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if kind == "case":
        yield "案件番号", str(summary["case"])
        yield "対象", summary["subject"]
        yield "発端", summary["source"]
        return
    yield "年分・回", f"{summary['year']}年分　第{summary['run']}回"
    yield "制度", summary["scheme_name"]
    if kind == "refund":
        yield "住民の参照番号", summary["resident_ref"]
        yield "再計算の結果", f"{_money(summary, 'recomputed_minor')}（{'一致' if summary['identical'] else '不一致'}）"
    yield "精算の対象者", f"{summary['residents']:,}人"
    yield "精算の還付額合計", _money(summary, "entitled_minor")
    yield "別方式による検算の合計", _money(summary, "verified_minor")
    yield "署名した監査人", "、".join(summary["signed_by"]) or "なし"


def _amount(kind: str, summary: Mapping[str, Any]) -> tuple[str, ...]:
    if kind == "case":
        return ()
    return ("今回の支払額", _money(summary, "due_own_minor" if kind == "refund" else "due_minor"))


def _hashes(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, words in (
        ("digest", "精算のダイジェスト"),
        ("root", "台帳のルートハッシュ"),
        ("scheme_sha256", "制度のSHA-256"),
        ("evidence_sha256", "保存ファイルのSHA-256"),
    ):
        if summary.get(name):
            yield words, summary[name]


def _sums(sums: Mapping[str, int]) -> str:
    return "\n".join(f"{name} {amount:,}" for name, amount in sums.items()) or "–"


def _money(summary: Mapping[str, Any], name: str) -> str:
    digits = summary["minor_unit_digits"]
    return money_text(summary[name], currency=summary["currency"], minor_unit_digits=digits, language="ja")
