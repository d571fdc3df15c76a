"""Policy documents: texts, mostly JSON, that all bots of a workspace read and write, with their older versions.

They are read and written at once, also in a handler. A handler that runs again after a crash writes the same version
again, not another one. `expected` protects what somebody else wrote meanwhile.
"""

import contextlib
import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botyard.loop import effects
from botyard.loop.errors import PlatformError


@dataclass(frozen=True)
class PolicyDocument:
    """One version of a document."""

    path: str
    content: str
    version: int
    digest: str
    """MD5 of the content, in hex."""
    by: str
    """`<bot>/<Persona>` that wrote it."""
    at: float
    """When, in seconds since the epoch."""

    def data(self) -> Any:
        """Return the content as data.

        Raises:
            PlatformError: It is no JSON (`NotJson`).
        """
        try:
            return json.loads(self.content)
        except ValueError as error:
            raise PlatformError(f"{self.path} is not JSON: {error}", "NotJson") from error


async def listed(folder: str = "/", *, after: str = "", limit: int = 1000) -> list[str]:
    """Return the paths of the documents in a folder and below it, in order, a page at a time."""
    inside = folder if folder.endswith("/") else f"{folder}/"
    found = await effects.ask("documents.list", {"path": _rooted(inside), "after": after, "limit": limit})
    return [str(path) for path in found]


async def read(path: str, version: int = 0) -> PolicyDocument:
    """Return a document, or an older version of it.

    Raises:
        PlatformError: There is none (`NotFound`).
    """
    return PolicyDocument(**await effects.ask("documents.read", {"path": path, "version": version}))


async def versions(path: str) -> list[PolicyDocument]:
    """Return the kept versions of a document, the newest first; also of one that was removed lately."""
    return [PolicyDocument(**found) for found in await effects.ask("documents.versions", {"path": path})]


async def create(path: str, content: str | Any) -> int:
    """Write a document that is not there yet and return its version.

    Raises:
        PlatformError: It is there (`Exists`), or cannot be written.
    """
    return await _write(path, content, create=True)


async def write(path: str, content: str | Any, *, expected: str = "") -> int:
    """Write a document and return its version.

    Args:
        path: `/folder/name`.
        content: A text; anything else is written as JSON.
        expected: Digest of the version that is replaced; empty: whatever is there.

    Raises:
        PlatformError: Somebody changed it meanwhile (`Changed`), or it cannot be written.
    """
    return await _write(path, content, expected=expected)


async def update_at(path: str, location: str | Sequence[str | int], value: Any, *, expected: str = "") -> int:
    """Set one place inside of a JSON document and return its new version.

    Args:
        path: Of the document.
        location: Names and positions on the way, or those joined by dots: `plan.steps.0.title`; missing objects on the
            way are made.
        value: JSON-able.
        expected: Digest that the whole document must have; empty: any.

    Raises:
        PlatformError: There is no such document or place, or somebody changed it meanwhile.
    """
    known = await read(path)
    if expected and known.digest != expected:
        raise PlatformError(f"{path} was changed meanwhile, to version {known.version}: read it again", "Changed")
    parts: list[str | int] = [*location.split(".")] if isinstance(location, str) else list(location)
    return await _write(path, _with(known.data(), parts, value, path), expected=known.digest)


async def copy_to(path: str, target: str) -> int:
    """Copy a document to where none is, and return the copy's version.

    Raises:
        PlatformError: There is none (`NotFound`), or `target` is taken (`Exists`).
    """
    return await _write(target, (await read(path)).content, create=True)


async def move(path: str, target: str) -> int:
    """Move a document to where none is, and return its version there.

    Raises:
        PlatformError: There is none (`NotFound`), or `target` is taken (`Exists`).
    """
    known = await read(path)
    version = await _write(target, known.content, create=True)
    await remove(path, expected=known.digest)
    return version


async def remove(path: str, *, expected: str = "") -> None:
    """Remove a document; its versions can be read for thirty days.

    Raises:
        PlatformError: There is none (`NotFound`), or it is not the expected one (`Changed`).
    """
    await effects.ask("documents.remove", {"path": path, "expected": expected})


async def _write(path: str, content: Any, *, create: bool = False, expected: str = "") -> int:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, indent=2)
    args = {"path": path, "content": text, "create": create, "expected": expected, "write": effects.new_id("write_")}
    return int(await effects.ask("documents.write", args))


def _rooted(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _with(data: Any, parts: list[str | int], value: Any, path: str) -> Any:
    """Return `data` with `value` at a place."""
    if not parts:
        return value
    changed = copy.deepcopy(data)
    place = changed
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if isinstance(place, list):
            index = _index(part, len(place), path)
            if last:
                place[index : index + 1] = [value]
            else:
                place = place[index]
        elif isinstance(place, dict):
            if last:
                place[str(part)] = value
            else:
                place = place.setdefault(str(part), {})
        else:
            raise PlatformError(f"{path} has no place {'.'.join(map(str, parts[: number + 1]))}", "NoPlace")
    return changed


def _index(part: str | int, length: int, path: str) -> int:
    """Return a position in a list; the one behind the last is where it grows."""
    index = -1
    with contextlib.suppress(ValueError):
        index = int(part)
    if not 0 <= index <= length:
        raise PlatformError(f"{path} has no position {part!r} in a list of {length}", "NoPlace")
    return index
