"""Fetches the files of a message, so that a bot finds their bytes in `current_input`."""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from botyard.fsm.errors import FsmError

MAX_BYTES = 32 * 1024 * 1024
TIMEOUT_SECONDS = 30.0


class FileError(FsmError):
    """A file of a message cannot be fetched."""


@dataclass(frozen=True, slots=True)
class FileRules:
    """What may be fetched.

    Read from the Bot's config: `files: {maxBytes: …, allowPrivate: true}`.
    """

    max_bytes: int = MAX_BYTES
    allow_private: bool = False
    """Whether addresses inside the cluster may be fetched. Users choose the addresses: off by default, so that a bot
    cannot be made to read what only its pod can reach."""

    @classmethod
    def of(cls, config: Any) -> "FileRules":
        """Return the rules of a Bot's config."""
        rules = config.get("files") if isinstance(config, dict) else None
        if not isinstance(rules, dict):
            return cls()
        return cls(
            max_bytes=int(rules.get("maxBytes", MAX_BYTES)), allow_private=bool(rules.get("allowPrivate", False))
        )


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """One file of a message."""

    name: str
    mime_type: str
    content: bytes
    url: str


async def fetch(reference: dict[str, Any], rules: FileRules) -> ReceivedFile:
    """Fetch one file.

    Args:
        reference: `{name, url, type}` as in the gateway's messages.
        rules: What may be fetched.

    Raises:
        FileError: The address may not be fetched, does not answer, or the file is too large.
    """
    url = str(reference.get("url", ""))
    name = str(reference.get("name") or "file")
    if url.startswith("data:"):
        content, mime_type = _inline(url, name, rules)
        return ReceivedFile(name, str(reference.get("type") or mime_type), content, "")
    # On demand: most bots get no files, and each of their workers would hold a client's 7 MB.
    from botyard.fsm.downloads import download

    content, mime_type = await download(url, name, rules)
    return ReceivedFile(name, str(reference.get("type") or mime_type), content, url)


def _inline(url: str, name: str, rules: FileRules) -> tuple[bytes, str]:
    """Return content and type of an address that is the file itself (RFC 2397)."""
    head, comma, body = url.removeprefix("data:").partition(",")
    mime_type, *parameters = head.split(";")
    if not comma:
        raise FileError(f"File {name!r} has a data address without content: write data:TYPE;base64,CONTENT.")
    try:
        content = base64.b64decode(body, validate=True) if "base64" in parameters else unquote_to_bytes(body)
    except ValueError as error:
        raise FileError(f"File {name!r} has a data address that is no base64: {error}") from error
    if len(content) > rules.max_bytes:
        raise FileError(f"File {name!r} has more than {rules.max_bytes} bytes.")
    return content, mime_type or "text/plain"
