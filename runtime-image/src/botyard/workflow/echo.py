"""What of a user's own message goes back with the events of its turn: no more than tells which one it was."""

from collections.abc import Mapping
from typing import Any

TEXT_CHARACTERS = 65_536
_CONTENT = frozenset({"base64", "content", "data"})


def shortened(text: str) -> str:
    """Return a text as far as it is sent back."""
    return text if len(text) <= TEXT_CHARACTERS else f"{text[: TEXT_CHARACTERS - 1]}…"


def of_result(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result without the content of attachments, and with the user's text as far as it is sent back."""
    sent = dict(result)
    if isinstance(text := sent.get("text"), str):
        sent["text"] = shortened(text)
    if isinstance(files := sent.get("attachments"), list):
        sent["attachments"] = [_named(file) for file in files]
    return sent


def _named(file: Any) -> Any:
    return {name: value for name, value in file.items() if name not in _CONTENT} if isinstance(file, Mapping) else file
