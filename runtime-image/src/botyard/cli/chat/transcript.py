"""How events look in a terminal, and what a person's line means."""

from collections.abc import Mapping, Sequence
from typing import Any

from botyard.cli.client import Event

Options = Sequence[Mapping[str, str]]


def options_of(event: Event) -> Options:
    """Return the options that an event offers."""
    options = event.data.get("options") if event.type == "bot.message" else None
    return [option for option in options if "id" in option] if isinstance(options, list) else []


def lines_of(event: Event, name: str) -> list[str]:
    """Return how an event reads; nothing for what only machines need.

    Args:
        event: The event.
        name: The bot's name, which stands before what it says.
    """
    if event.type == "bot.message":
        return _message(event.data, name)
    if event.type == "chat.error":
        kind = event.data.get("kind", "error")
        return [f"{name}! {kind}: {event.data.get('message', 'the turn failed')}"]
    if event.type == "turn.restarted":
        return [f"{name}… begins again after an interruption"]
    if event.type == "bot.conversation_reset":
        return [f"{name}… starts over"]
    if event.type == "bot.language_change":
        return [f"{name}> {event.data.get('text') or '[asks for a language]'}"]
    return []


def message_of(line: str, options: Options) -> dict[str, Any]:
    """Return the message that a line means: an option by its number, where options are on offer, else text."""
    stripped = line.strip()
    if options and stripped.isdigit() and 1 <= int(stripped) <= len(options):
        option = options[int(stripped) - 1]
        return {"options": [{"id": option["id"], "title": option.get("title", "")}]}
    return {"text": stripped}


def _message(data: Mapping[str, Any], name: str) -> list[str]:
    parts = [str(data[part]) for part in ("header", "text", "footer") if data.get(part)]
    media = data.get("media")
    if isinstance(media, dict):
        parts.append(f"[{data.get('kind', 'file')}] {media.get('url') or media.get('name', '')}")
    if data.get("kind") == "form" and isinstance(data.get("form"), dict):
        parts.append(f"[form {data['form'].get('id', '')}]")
    text = "\n".join(parts).splitlines() or [f"[{data.get('kind', 'message')}]"]
    indent = " " * (len(name) + 2)
    lines = [f"{name}> {text[0]}", *(indent + line for line in text[1:])]
    for number, option in enumerate(data.get("options") or (), start=1):
        lines.append(f"{indent}{number}. {option.get('title') or option.get('id')}")
    # What a bot says must not steer the terminal.
    return ["".join(char if char.isprintable() else " " for char in line) for line in lines]
