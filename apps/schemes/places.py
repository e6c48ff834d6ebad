"""Where in a scheme file something is wrong, and what may stand there. Pure."""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from msgspec import inspect
from yaml.constructor import ConstructorError

from apps.schemes.document import Scheme, Words

PLACE: Final = re.compile(r"`?(\$[^`\s]*)`?")
UNKNOWN: Final = re.compile(r"unknown field `([^`]*)`")
STEP: Final = re.compile(r"\.([^.\[\]]+)|\[([0-9]+)\]")
TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"


class SchemeLoader(yaml.SafeLoader):
    """YAML in which no key stands twice. Dates stay text: what is no date is then named with its place."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for index, (key, _) in enumerate(node.value):
            if key.value in keys[:index]:
                raise ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
        return super().construct_mapping(node, deep=deep)


def place_in(message: str) -> str:
    """The place (a JSON path) that a decoding error names; of an unknown field, its own."""
    found = PLACE.findall(message)
    place = str(found[-1]) if found else "$"
    unknown = UNKNOWN.search(message)
    return f"{place}.{unknown[1]}" if unknown else place


def line_of(text: str, place: str) -> int:
    """The line of the deepest part of a JSON path that the YAML text has."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for key, index in STEP.findall(place):
        if key and isinstance(node, yaml.MappingNode):
            pairs = [(name, value) for name, value in node.value if name.value == key]
        elif index and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
            pairs = [(node.value[int(index)], node.value[int(index)])]
        else:
            break
        if not pairs:
            break
        name, node = pairs[0]
        line = name.start_mark.line + 1
    return line


def what_may_stand(message: str) -> str:
    """A sentence on what may stand at the place of a decoding error, where there is something to say, else ''."""
    place = place_in(message)
    if UNKNOWN.search(message):
        kind = list(_types_to(place.rpartition(".")[0]))[-1]
        if not isinstance(kind, inspect.StructType):
            return ""
        quotes = " Put a text with a comma in quotes." if kind.cls is Words else ""
        return f" Known here: {', '.join(field.encode_name for field in kind.fields)}.{quotes}"
    return next((said for kind in reversed(list(_types_to(place))) if (said := _said_of(kind))), "")


def _said_of(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.LiteralType):
        return f" One of: {', '.join(map(str, kind.values))}."
    if isinstance(kind, inspect.Metadata) and kind.extra_json_schema:
        return f" That is: {kind.extra_json_schema['description']}."
    return ""


def _types_to(place: str) -> Iterator[inspect.Type]:
    """The types at a place, the innermost last; only the place's own."""
    kind: inspect.Type | None = inspect.type_info(Scheme)
    for key, _ in STEP.findall(place):
        plain = list(_unwrapped(kind))[-1]
        if isinstance(plain, inspect.StructType):
            kind = next((field.type for field in plain.fields if field.encode_name == key), None)
        else:
            kind = plain.item_type if isinstance(plain, inspect.ListType) else None
        if kind is None:
            return
    yield from _unwrapped(kind)


def _unwrapped(kind: inspect.Type | None) -> Iterator[inspect.Type]:
    while kind:
        yield kind
        if isinstance(kind, inspect.Metadata):
            kind = kind.type
        elif isinstance(kind, inspect.UnionType):
            kind = next(inner for inner in kind.types if not isinstance(inner, inspect.NoneType))
        else:
            kind = None
