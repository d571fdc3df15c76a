"""Manifest files as people write them: YAML documents, each field with its line."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from botyard_operator.api.bot import Bot
from botyard_operator.api.bundle import Bundle
from botyard_operator.api.persona import Persona
from botyard_operator.reconcile.base import JsonObject

KINDS: dict[str, type[Bundle | Bot | Persona]] = {"Bundle": Bundle, "Bot": Bot, "Persona": Persona}
_STEP = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]|\['([^']*)'\]")


class Unreadable(Exception):
    """A file cannot be read, or holds no manifests; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Document:
    """One object of a file."""

    file: str
    obj: JsonObject
    node: yaml.MappingNode = field(repr=False)

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.obj.get("kind") or "")

    @property
    def title(self) -> str:
        """Kind and name, as messages say them."""
        metadata = self.obj.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        where = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        return f"{self.kind or 'object'} {where}{metadata.get('name') or '(no name)'}"

    def place(self, path: str) -> str:
        """Return `file:line` of a field such as `spec.git.url`; of the nearest one above where it is missing."""
        node: yaml.Node = self.node
        line = node.start_mark.line
        for step in _STEP.finditer(path):
            name, index, quoted = step.groups()
            found = _child(node, int(index) if index else (name or quoted))
            if found is None:
                break
            line, node = found
        return f"{self.file}:{line + 1}"


def read(paths: Sequence[str]) -> Iterator[Document]:
    """Yield the objects of files; of all `*.yaml`, `*.yml` and `*.json` below folders; `-` is standard input.

    Raises:
        Unreadable: A file cannot be read, is not YAML, or holds something other than objects.
    """
    for path in paths:
        if path == "-":
            yield from _documents("standard input", sys.stdin.read())
            continue
        if not Path(path).is_dir():
            yield from _documents(path, _text(Path(path)))
            continue
        for file in sorted(Path(path).rglob("*")):
            if file.suffix in (".yaml", ".yml", ".json") and file.is_file():
                yield from _documents(str(file), _text(file))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise Unreadable(f"cannot read {path}: {reason}") from None


class _Loader(yaml.SafeLoader):
    """YAML as the API server reads it: a key that is written twice is a mistake; times are text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        """Return the mapping.

        Raises:
            ConstructorError: A key is written twice.
        """
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:str" and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the field {key.value} is written twice", key.start_mark
                )
            seen.add(str(key.value))
        made: dict[object, object] = super().construct_mapping(node, deep=deep)
        return made


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _documents(file: str, text: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"):
                continue
            yield from _objects(file, node, loader.construct_document(node))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}" if mark else file
        raise Unreadable(f"{place}: is not YAML: {getattr(error, 'problem', None) or error}") from None
    finally:
        loader.dispose()


def _objects(file: str, node: yaml.Node, obj: object) -> Iterator[Document]:
    if not isinstance(obj, dict) or not isinstance(node, yaml.MappingNode):
        raise Unreadable(f"{file}:{node.start_mark.line + 1}: an object is expected, with apiVersion, kind, metadata")
    items = obj.get("items")
    if obj.get("kind") != "List" or not isinstance(items, list):
        yield Document(file, obj, node)
        return
    found = _child(node, "items")
    assert found is not None
    for item, inner in zip(items, found[1].value, strict=True):
        yield from _objects(file, inner, item)


def _child(node: yaml.Node, step: int | str) -> tuple[int, yaml.Node] | None:
    """Return line and node of a field or an item, or None when it is not there."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line, node.value[step]
    return None
