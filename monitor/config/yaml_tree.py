"""YAML into plain values, with the line of every key, limits on size, and none of YAML 1.1's traps.

A plain scalar is null, true, false, a whole number or a decimal (YAML 1.2, core schema, without
exponents); everything else stays the text that stands there: ``0xdAC1…``, ``00:00``, ``no`` and
``2026-12-01`` are text. Keys are always text. There are no floats: ``0.5`` becomes a Decimal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml

from monitor.config.mistakes import Mistake, Path, dotted

#: More belongs into addresses_file; parsing this takes about a second.
LARGEST_BYTES = 4 * 1024 * 1024
#: Values after every alias has been written out: what a bomb of anchors would multiply.
MOST_NODES = 200_000
#: The configuration itself needs 6.
DEEPEST = 24
#: A page of mistakes helps; a million does not.
MOST_MISTAKES = 200

_PARSER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"-?(0|[1-9][0-9]{0,30})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,30})\.[0-9]{1,30}")
_STR_TAG = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Tree:
    """``data``: dict, list, str, int, Decimal, bool or None; ``lines``: the line (from 1) of each path."""

    data: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


@dataclass(slots=True)
class _Node:
    """``kind``: scalar, sequence or mapping (keys and values alternate in ``items``)."""

    kind: str
    line: int
    text: str = ""
    plain: bool = False
    tag: str | None = None
    items: list[_Node] = field(default_factory=list)
    size: int = 1
    depth: int = 1
    closed: bool = False


class _Broken(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def read_yaml(file: str, raw: bytes) -> tuple[Tree | None, list[Mistake]]:
    """The values of one YAML document. No tree where it cannot be read at all; mistakes name ``file``."""
    try:
        root = _compose(_text(raw))
    except _Broken as broken:
        return None, [Mistake(file, broken.line, dotted(()), str(broken))]
    builder = _Builder(file)
    data = builder.value(root, ())
    return Tree(data, builder.lines), builder.mistakes


def _text(raw: bytes) -> str:
    if len(raw) > LARGEST_BYTES:
        raise _Broken(1, f"larger than {LARGEST_BYTES} bytes: move addresses into addresses_file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _Broken(line, f"not UTF-8 (byte 0x{raw[error.start]:02x}): save the file as UTF-8") from error
    return text


def _compose(text: str) -> _Node:
    """The tree of nodes of the only document, built from events so that depth and size stay bounded."""
    open_nodes: list[_Node] = []
    anchors: dict[str, _Node] = {}
    root: _Node | None = None
    total = 0
    try:
        for event in yaml.parse(text, Loader=_PARSER):
            line = _line(event.start_mark)
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                raise _Broken(line, "a second document begins here: keep one document, without further '---'")
            if isinstance(event, yaml.CollectionEndEvent):
                node = open_nodes.pop()
                node.closed = True
            elif isinstance(event, yaml.NodeEvent):
                node = _node(event, anchors, line)
                total += node.size
                if isinstance(event, yaml.CollectionStartEvent):
                    open_nodes.append(node)
                    if len(open_nodes) > DEEPEST:
                        raise _Broken(line, f"nested deeper than {DEEPEST} levels: write it flatter")
                    root = root or node
                    continue
            else:
                continue
            if total > MOST_NODES:
                raise _Broken(
                    line, f"more than {MOST_NODES} values, aliases written out: move addresses to addresses_file"
                )
            root = root or node
            if open_nodes:
                _attach(open_nodes[-1], node)
    except yaml.MarkedYAMLError as error:
        line = _line(error.problem_mark or error.context_mark)
        raise _Broken(line, f"not YAML: {_reason(error, text, line)}") from error
    except yaml.YAMLError as error:
        raise _Broken(1, f"not YAML: {' '.join(str(error).split())}") from error
    if root is None:
        raise _Broken(1, "the file is empty: write at least entity, store, assets, chains and wallets")
    return root


def _attach(parent: _Node, node: _Node) -> None:
    parent.items.append(node)
    parent.size += node.size
    parent.depth = max(parent.depth, node.depth + 1)
    if parent.depth > DEEPEST:
        raise _Broken(node.line, f"nested deeper than {DEEPEST} levels: write it flatter")


def _node(event: yaml.NodeEvent, anchors: dict[str, _Node], line: int) -> _Node:
    if isinstance(event, yaml.AliasEvent):
        target = anchors.get(event.anchor or "")
        if target is None:
            raise _Broken(
                line, f"the alias *{event.anchor} has no anchor &{event.anchor} before it: write the value out"
            )
        if not target.closed:
            raise _Broken(line, f"the alias *{event.anchor} stands inside its own anchor: write the value out")
        return target
    if isinstance(event, yaml.ScalarEvent):
        plain = event.style in {None, ""}
        node = _Node("scalar", line, event.value, plain, event.tag, closed=True)
    else:
        kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
        node = _Node(kind, line, tag=getattr(event, "tag", None))
    if event.anchor is not None:
        anchors[event.anchor] = node
    return node


def _line(mark: Any) -> int:
    """Marks count from 0; an error may come without one."""
    return mark.line + 1 if mark is not None else 1


def _reason(error: yaml.MarkedYAMLError, text: str, line: int) -> str:
    what = ", ".join(part for part in (error.context, error.problem) if part)
    lines = text.splitlines()
    broken = lines[line - 1] if line <= len(lines) else ""
    if "\t" in broken[: len(broken) - len(broken.lstrip())]:
        return f"{what}: indent with spaces, not with a tab"
    return f"{what}: check indentation, quotes and brackets here"


class _Builder:
    """Nodes into values; remembers lines and collects mistakes."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {(): 1}
        self.mistakes: list[Mistake] = []

    def value(self, node: _Node, path: Path) -> Any:
        self.lines.setdefault(path, node.line)
        if node.tag not in {None, "!", _STR_TAG}:
            self._mistake(node, path, f"the tag {node.tag} is not accepted: remove it")
        if node.kind == "scalar":
            return _scalar(node)
        if node.kind == "sequence":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.items)]
        return self._mapping(node, path)

    def _mapping(self, node: _Node, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        written: dict[str, int] = {}
        merged: list[_Node] = []
        for key, value in _pairs(node):
            if key.kind != "scalar":
                self._mistake(key, path, "a key must be text, not a list or a mapping: write a plain key")
            elif key.plain and key.text == "<<":
                merged.extend(self._merged(value, path))
            elif key.text in written:
                self._mistake(
                    key, (*path, key.text), f"written twice, first on line {written[key.text]}: keep one of the two"
                )
            else:
                written[key.text] = key.line
                self.lines.setdefault((*path, key.text), key.line)
                out[key.text] = self.value(value, (*path, key.text))
        for source in merged:
            for name, entry in self._mapping(source, path).items():
                out.setdefault(name, entry)
        return out

    def _merged(self, node: _Node, path: Path) -> list[_Node]:
        """The mappings that a merge key ``<<`` takes over; what is written beside it wins."""
        sources = node.items if node.kind == "sequence" else [node]
        if all(source.kind == "mapping" for source in sources):
            return sources
        self._mistake(node, (*path, "<<"), "a merge takes a mapping or a list of mappings: write *alias, or the keys")
        return []

    def _mistake(self, node: _Node, path: Path, message: str) -> None:
        if len(self.mistakes) < MOST_MISTAKES:
            self.mistakes.append(Mistake(self.file, node.line, dotted(path), message))


def _pairs(node: _Node) -> Iterator[tuple[_Node, _Node]]:
    items = iter(node.items)
    return zip(items, items, strict=True)


def _scalar(node: _Node) -> str | int | Decimal | bool | None:
    text = node.text
    if not node.plain or node.tag == _STR_TAG:
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return Decimal(text)
    return text
