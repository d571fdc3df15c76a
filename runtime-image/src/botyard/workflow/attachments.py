"""Files that users send, as a workflow gets them.

Each is {name, filename, mime, size, base64} where its content came with the message, or {…, url} where the sender gave
an address; `id` tells files apart that lie in the platform's store. `filename` is `name`, as bundles of both habits
read it.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

_DATA = "data:"
_BASE64 = ";base64,"


def of_files(files: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the attachments of a message's files."""
    return [_attachment(file) for file in files if isinstance(file, Mapping)]


def content(attachment: Mapping[str, Any]) -> bytes:
    """Return the bytes of an attachment.

    Raises:
        ValueError: It has no content with it, or that is not base64.
    """
    encoded = attachment.get("base64")
    if not isinstance(encoded, str):
        raise ValueError(f"attachment {attachment.get('name')!r} came without its content")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"attachment {attachment.get('name')!r} is not base64: {error}") from None


def _attachment(file: Mapping[str, Any]) -> dict[str, Any]:
    name = str(file.get("name") or "file")
    made: dict[str, Any] = {
        "name": name,
        "filename": name,
        "mime": str(file.get("type") or "application/octet-stream"),
        "size": file.get("size"),
    }
    if identity := file.get("id"):
        made["id"] = identity
    url = str(file.get("url") or "")
    head, found, encoded = url.partition(_BASE64)
    if found and head.startswith(_DATA):
        made["base64"] = encoded
        if made["size"] is None:
            made["size"] = len(encoded) * 3 // 4 - encoded[-2:].count("=")
    elif url:
        made["url"] = url
    return made
