"""YAML files as plain data, with the place of every key and value.

Built on the node tree, so that keys and numbers keep their spelling: ``+13055550100``, ``0101`` and ``13055550107:`` stay
what was written. Files are merged section by section through ``include``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from ari_app.settings.problem import Mark, Problem, SettingsError, Severity

LARGEST_FILE = 1_000_000
"""Octets; settings are written by people."""
MOST_NODES = 100_000
"""Aliases are followed, so that a small file could stand for a huge one."""
DEEPEST = 20

_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")
)

KeyPath = tuple[str, ...]


@dataclass(slots=True)
class Source:
    """Merged data of a file and all that it includes. keys, values: where each path stands."""

    root: Path
    data: dict[str, Any] = field(default_factory=dict)
    keys: dict[KeyPath, Mark] = field(default_factory=dict)
    values: dict[KeyPath, Mark] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    def mark(self, path: KeyPath, *, key: bool = False) -> Mark:
        """The place of ``path``, or of the nearest part above it that stands in a file."""
        for length in range(len(path), 0, -1):
            places = self.keys if key and length == len(path) else self.values
            found = places.get(path[:length]) or self.keys.get(path[:length])
            if found is not None:
                return found
        return Mark(self.root, 1, 1)


def read(path: Path) -> Source:
    """The settings in ``path`` and the files it includes. Raises SettingsError for unreadable or invalid YAML."""
    source = Source(path)
    problems: list[Problem] = []
    _read_file(path, source, problems, _Asked(Mark(path, 1, 1)))
    if problems:
        raise SettingsError(problems)
    return source


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who wants a file: the place that names it, and the files that lead there."""

    mark: Mark
    where: str = ""
    including: tuple[Path, ...] = ()


def _read_file(path: Path, source: Source, problems: list[Problem], asked: _Asked) -> None:
    if path.resolve() in asked.including:
        chain = " → ".join(file.name for file in (*asked.including, path))
        problems.append(_error(asked.mark, asked.where, f"{path} includes itself: {chain}"))
        return
    if path in source.files:
        problems.append(_error(asked.mark, asked.where, f"{path} is included twice"))
        return
    source.files.append(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        problems.append(_error(asked.mark, asked.where, f"{path} cannot be read: {error.strerror or error}"))
        return
    root = _compose(path, raw, problems)
    if root is None:
        return
    if not isinstance(root, MappingNode):
        problems.append(_error(_mark(path, root), "", f"expected a mapping of sections, found {_kind(root)}"))
        return
    reader = _Reader(path, source, problems)
    data = reader.mapping(root, ())
    includes = data.pop("include", [])
    for name, value in data.items():
        _merge(name, value, source, problems, reader)
    if not isinstance(includes, list) or not all(isinstance(name, str) for name in includes):
        problems.append(_error(source.mark(("include",)), "include", "expected a list of file names"))
        return
    for index, name in enumerate(includes):
        mark = reader.values.get(("include", str(index)), Mark(path, 1, 1))
        following = _Asked(mark, f"include.{index}", (*asked.including, path.resolve()))
        _read_file(path.parent / name, source, problems, following)


def _merge(name: str, value: Any, source: Source, problems: list[Problem], reader: _Reader) -> None:
    """Add one section. A mapping may be continued in another file; a key may stand only once."""
    if name not in source.data:
        source.data[name] = value
    elif isinstance(value, dict) and isinstance(source.data[name], dict):
        for key, inner in value.items():
            if key in source.data[name]:
                problems.append(
                    _error(reader.keys[(name, key)], f"{name}.{key}", f"stands already at {source.keys[(name, key)]}")
                )
            else:
                source.data[name][key] = inner
    else:
        problems.append(_error(reader.keys[(name,)], name, f"stands already at {source.keys[(name,)]}"))
    for place, mark in reader.keys.items():
        source.keys.setdefault(place, mark)
    for place, mark in reader.values.items():
        source.values.setdefault(place, mark)


class _Reader:
    """Turns the nodes of one file into data, and keeps their places."""

    def __init__(self, path: Path, source: Source, problems: list[Problem]) -> None:
        self._path = path
        self._problems = problems
        self._nodes = 0
        self.keys: dict[KeyPath, Mark] = {}
        self.values: dict[KeyPath, Mark] = {}

    def mapping(self, node: MappingNode, at: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = _mark(self._path, key_node)
            if not isinstance(key_node, ScalarNode):
                self._problems.append(_error(mark, ".".join(at), f"expected a name as key, found {_kind(key_node)}"))
                continue
            key = str(key_node.value)
            if key == "<<":
                merged |= self._merged(value_node, at)
                continue
            path = (*at, key)
            if key in data:
                self._problems.append(_error(mark, ".".join(path), f"stands already at {self.keys[path]}"))
                continue
            self.keys[path] = mark
            data[key] = self.value(value_node, path)
        return merged | data

    def value(self, node: Node, at: KeyPath) -> Any:
        mark = _mark(self._path, node)
        self._nodes += 1
        if self._nodes > MOST_NODES:
            found = f"found more than {MOST_NODES} values, those that aliases repeat included"
            raise SettingsError([_error(mark, ".".join(at[:4]), found)])
        if len(at) > DEEPEST:
            found = f"found values more than {DEEPEST} levels deep, or an alias that holds itself"
            raise SettingsError([_error(mark, ".".join(at[:4]), found)])
        if str(node.tag) not in _TAGS:
            self._problems.append(
                _error(mark, ".".join(at), f"found the tag {node.tag}, expected a value without a tag")
            )
        self.values[at] = mark
        match node:
            case MappingNode():
                return self.mapping(node, at)
            case SequenceNode():
                return [self.value(item, (*at, str(index))) for index, item in enumerate(node.value)]
            case _:
                return _scalar(node)

    def _merged(self, node: Node, at: KeyPath) -> dict[str, Any]:
        """What a merge key ``<<`` brings in: one mapping, or several, the first winning."""
        brought: dict[str, Any] = {}
        for part in reversed(node.value if isinstance(node, SequenceNode) else [node]):
            if isinstance(part, MappingNode):
                brought |= self.mapping(part, at)
            else:
                mark = _mark(self._path, part)
                self._problems.append(_error(mark, ".".join(at), f"expected a mapping after <<, found {_kind(part)}"))
        return brought


def _compose(path: Path, raw: bytes, problems: list[Problem]) -> Node | None:
    here = Mark(path, 1, 1)
    if len(raw) > LARGEST_FILE:
        problems.append(_error(here, "", f"found {len(raw)} octets, expected at most {LARGEST_FILE}"))
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        mark = _place(path, raw[: error.start].decode("utf-8"))
        problems.append(_error(mark, "", f"found octet 0x{raw[error.start]:02x}, expected text in UTF-8"))
        return None
    try:
        root = YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        mark = here if at is None else Mark(path, at.line + 1, at.column + 1)
        hint = "indent with spaces, not with tabs" if "'\\t'" in str(error.problem) else None
        problems.append(_error(mark, "", f"not valid YAML: {error.problem or error.context}", hint))
        return None
    except ReaderError as error:
        mark = _place(path, text[: error.position])
        problems.append(_error(mark, "", f"found character U+{int(error.character):04X}, expected text"))
        return None
    except (YAMLError, ValueError, RecursionError) as error:
        problems.append(_error(here, "", f"not valid YAML: {type(error).__name__}: {error}"))
        return None
    if root is None:
        problems.append(_error(here, "", "the file is empty"))
    assert root is None or isinstance(root, Node)
    return root


def _scalar(node: Node) -> Any:
    """A scalar's value. A number that is not spelled canonically stays text: +1305…, 0101, 1_000. So does one
    that is longer than any that we know: int() refuses some of these."""
    text = str(node.value)
    if getattr(node, "style", None) == ">":
        text = text.replace("\a", "")  # the reader marks with it where lines were folded
    match str(node.tag).rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text) if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text) else text
        case "float":
            try:
                return float(text)
            except ValueError:
                return text
        case _:
            return text


def _place(path: Path, before: str) -> Mark:
    """The place behind ``before``."""
    return Mark(path, before.count("\n") + 1, len(before) - before.rfind("\n"))


def _mark(path: Path, node: Node) -> Mark:
    return Mark(path, node.start_mark.line + 1, node.start_mark.column + 1)


def _kind(node: Node) -> str:
    return {"mapping": "a mapping", "sequence": "a list"}.get(str(getattr(node, "id", "")), "a plain value")


def _error(mark: Mark, where: str, what: str, hint: str | None = None) -> Problem:
    return Problem(Severity.ERROR, mark, where, what, hint)
