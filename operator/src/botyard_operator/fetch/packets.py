"""Git's protocol, version 2, as far as a look needs it: packets, what a server can do, and its list of refs.

Pure functions over bytes; whatever a server sends is read within the limits of its own framing, or refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_LENGTH = 4
_LONGEST = 65520
_FLUSH, _DELIMITER = b"0000", b"0001"
_REF = re.compile(rb"(?P<oid>[0-9a-f]{40}|[0-9a-f]{64}) (?P<name>[^ \x00-\x1f\x7f]+)(?P<attributes>(?: [^ ]+)*)")
_PEELED = re.compile(rb" peeled:(?P<oid>[0-9a-f]{40}|[0-9a-f]{64})(?= |$)")


class ProtocolError(ValueError):
    """What was sent is not this protocol."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server of version 2 says of itself, as far as it matters here."""

    object_format: str = ""
    """The repository's hash, where the server names it; it has to be named back then."""


def read_capabilities(answer: bytes) -> Capabilities:
    """Read the answer to `GET …/info/refs?service=git-upload-pack`.

    Raises:
        ProtocolError: the server does not speak version 2, or cannot list refs in it.
    """
    lines = [line.rstrip(b"\n") for line in _lines(answer) if line is not None]
    if lines and lines[0].startswith(b"# service="):
        del lines[0]
    if not lines or lines[0] != b"version 2":
        raise ProtocolError("the server does not speak version 2 of git's protocol")
    names = dict(line.partition(b"=")[::2] for line in lines[1:])
    if b"ls-refs" not in names:
        raise ProtocolError("the server does not list refs")
    return Capabilities(names.get(b"object-format", b"").decode("ascii", "replace"))


def ask_for_refs(prefixes: Collection[str], capabilities: Capabilities) -> bytes:
    """Return the request for all refs whose names begin with one of these."""
    body = [_packet(b"command=ls-refs\n")]
    if capabilities.object_format:
        body.append(_packet(f"object-format={capabilities.object_format}".encode()))
    body += [_DELIMITER, _packet(b"peel\n")]
    body += [_packet(f"ref-prefix {prefix}\n".encode()) for prefix in sorted(prefixes)]
    return b"".join([*body, _FLUSH])


def read_refs(answer: bytes) -> dict[str, str]:
    """Read the answer to `ask_for_refs`.

    Returns:
        The object id of each ref; what an annotated tag stands for is under its name and `^{}`.

    Raises:
        ProtocolError: it is no such answer, or is not complete.
    """
    refs: dict[str, str] = {}
    ended = False
    for line in _lines(answer):
        if line is None or ended:
            ended = True
            continue
        found = _REF.fullmatch(line.rstrip(b"\n"))
        if found is None:
            raise ProtocolError("the server sent something else than refs")
        name = found["name"].decode(errors="replace")
        refs[name] = found["oid"].decode("ascii")
        if peeled := _PEELED.search(found["attributes"]):
            refs[f"{name}^{{}}"] = peeled["oid"].decode("ascii")
    if not ended:
        raise ProtocolError("the list of refs has no end")
    return refs


def _packet(content: bytes) -> bytes:
    return f"{len(content) + _LENGTH:04x}".encode() + content


def _lines(data: bytes) -> Iterator[bytes | None]:
    """Yield the content of packets; None for one that separates."""
    at = 0
    while at < len(data):
        head = data[at : at + _LENGTH]
        try:
            length = int(head, 16) if len(head) == _LENGTH else -1
        except ValueError:
            length = -1
        if length in {0, 1, 2}:
            yield None
            at += _LENGTH
            continue
        if not _LENGTH <= length <= _LONGEST or at + length > len(data):
            raise ProtocolError("the server does not send packets")
        yield data[at + _LENGTH : at + length]
        at += length
