"""Gives a turn the bytes of files that its message refers to by id."""

import base64
from collections.abc import Mapping
from typing import Any

from botyard.core.files import Files


class FileGone(Exception):
    """A file of the message is no longer kept."""


async def attach(payload: Mapping[str, Any], files: Files, *, bot: str) -> dict[str, Any]:
    """Return the payload with each file by id as an address that holds the file itself (RFC 2397).

    Workers have no way to the event store: what they may see is handed to them.

    Args:
        payload: A message's payload.
        files: Where files are kept.
        bot: `namespace/name`; files of other bots do not exist here.

    Raises:
        FileGone: A file is no longer kept.
    """
    references = payload.get("files")
    if not isinstance(references, list):
        return dict(payload)
    return {**payload, "files": [await _inline(reference, files, bot) for reference in references]}


async def _inline(reference: Any, files: Files, bot: str) -> Any:
    if not isinstance(reference, dict) or not isinstance(identity := reference.get("id"), str):
        return reference
    stored = await files.find(identity)
    if stored is None or stored.bot != bot:
        raise FileGone(f"file {reference.get('name')!r} is no longer kept; send it again")
    try:
        content = b"".join([piece async for piece in files.read(stored)])
    except LookupError as error:
        raise FileGone(str(error)) from None
    encoded = base64.b64encode(content).decode("ascii")
    return {**reference, "url": f"data:{stored.type};base64,{encoded}"}
