"""The SDK's test vectors and the code beside them that writes them, which is no package of its own."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).parents[3] / "sdk" / "vectors"


def document(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def module(name: str) -> ModuleType:
    """They import each other by bare names, as scripts do: hence the entry in sys.modules, and the order below."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


reference = module("reference")
for _name in (
    "fixed", "steps", "card_tokens", "lines", "chains", "claims", "closings", "unsealed", "batches", "merkle",
    "statements",
):  # fmt: skip
    module(_name)
make = module("make")
