"""Turns one output of a bot into calls of Telegram's Bot API. Pure."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botyard.channels.settings import Language
from botyard.channels.telegram.choices import LANGUAGE_PREFIX, data_of

MAX_TEXT = 4096
"""Characters (UTF-16 units) of a message."""
MAX_CAPTION = 1024
MAX_BUTTON_TEXT = 64
MAX_BUTTONS = 100
"""Under one message."""
_MEDIA = {"image": ("sendPhoto", "photo"), "document": ("sendDocument", "document"), "audio": ("sendAudio", "audio")}
_CHOOSE_LANGUAGE = "Please choose your language."
_FAILED = "Sorry, something went wrong. Please try again."


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the Bot API."""

    method: str
    parameters: Mapping[str, Any]
    upload: tuple[str, str, bytes, str] | None = None
    """Parameter, file name, content and media type of a file that travels with it."""
    long_ids: Mapping[str, str] = field(default_factory=dict)
    """Ids of options by what their buttons carry, where that is a digest."""


def calls_for(
    envelope: Mapping[str, Any], chat: str, *, forms: Mapping[str, str], languages: Sequence[Language]
) -> list[Call]:
    """Return the calls that say an output; none for outputs that are nothing to a user.

    Args:
        envelope: The output.
        chat: Telegram's id of the chat.
        forms: Addresses of Web Apps by the form's id.
        languages: What users may choose.
    """
    content = envelope.get("data")
    data: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    match envelope.get("type"):
        case "bot.message":
            return list(_message(data, chat, forms))
        case "bot.language_change":
            return [_languages(data, chat, languages)] if languages else []
        case "chat.error":
            return [Call("sendMessage", {"chat_id": chat, "text": _FAILED})]
    return []


def _message(data: Mapping[str, Any], chat: str, forms: Mapping[str, str]) -> Iterator[Call]:
    kind = data.get("kind")
    text = _text(data)
    if kind in _MEDIA and data.get("media"):
        yield from _media(kind, data["media"], text, chat)
    elif kind == "form":
        yield _form(data, text, chat, forms)
    elif data.get("options"):
        yield from _with_options(data, text, chat)
    elif text:
        yield from _texts(text, chat)


def _text(data: Mapping[str, Any]) -> str:
    return "\n\n".join(str(data[part]) for part in ("header", "text", "footer") if data.get(part))


def _texts(text: str, chat: str) -> Iterator[Call]:
    for piece in pieces(text, MAX_TEXT):
        yield Call("sendMessage", {"chat_id": chat, "text": piece})


def _with_options(data: Mapping[str, Any], text: str, chat: str) -> Iterator[Call]:
    *before, last = list(pieces(text, MAX_TEXT)) or ["…"]
    for piece in before:
        yield Call("sendMessage", {"chat_id": chat, "text": piece})
    options = [option for option in data["options"] if isinstance(option, Mapping)]
    for start in range(0, len(options), MAX_BUTTONS):
        page = options[start : start + MAX_BUTTONS]
        buttons = [{"text": _label(option), "callback_data": data_of(str(option.get("id", "")))} for option in page]
        # Buttons side by side, lists one below the other.
        rows = [buttons] if data.get("kind") == "buttons" else [[button] for button in buttons]
        long_ids = {
            button["callback_data"]: str(option.get("id", ""))
            for button, option in zip(buttons, page, strict=True)
            if button["callback_data"] != f"o:{option.get('id', '')}"
        }
        yield Call(
            "sendMessage",
            {"chat_id": chat, "text": last if start == 0 else "…", "reply_markup": {"inline_keyboard": rows}},
            long_ids=long_ids,
        )


def _label(option: Mapping[str, Any]) -> str:
    title = str(option.get("title") or option.get("id") or "…")
    return title if len(title) <= MAX_BUTTON_TEXT else f"{title[: MAX_BUTTON_TEXT - 1]}…"


def _media(kind: str, media: Mapping[str, Any], text: str, chat: str) -> Iterator[Call]:
    method, parameter = _MEDIA[kind]
    caption, *rest = list(pieces(text, MAX_CAPTION)) or [""]
    parameters: dict[str, Any] = {"chat_id": chat, **({"caption": caption} if caption else {})}
    upload = None
    if content := media.get("content"):
        try:
            decoded = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            decoded = b""
        name, media_type = str(media.get("name") or kind), str(media.get("mime_type") or "application/octet-stream")
        upload = (parameter, name, decoded, media_type)
    else:
        parameters[parameter] = str(media.get("url", ""))
    yield Call(method, parameters, upload)
    for piece in rest:
        yield from _texts(piece, chat)


def _form(data: Mapping[str, Any], text: str, chat: str, forms: Mapping[str, str]) -> Call:
    form = data.get("form") or {}
    address = forms.get(str(form.get("id", "")))
    parameters: dict[str, Any] = {"chat_id": chat, "text": text or "…"}
    if address:
        # Only a button of the reply keyboard lets a Web App send its data to the bot.
        button = {"text": "Open form", "web_app": {"url": address}}
        parameters["reply_markup"] = {
            "keyboard": [[button]],
            "one_time_keyboard": True,
            "resize_keyboard": True,
        }
    return Call("sendMessage", parameters)


def _languages(data: Mapping[str, Any], chat: str, languages: Sequence[Language]) -> Call:
    rows = [[{"text": each.title, "callback_data": LANGUAGE_PREFIX + each.code}] for each in languages[:MAX_BUTTONS]]
    text = str(data.get("text") or _CHOOSE_LANGUAGE)[:MAX_TEXT]
    return Call("sendMessage", {"chat_id": chat, "text": text, "reply_markup": {"inline_keyboard": rows}})


def pieces(text: str, limit: int) -> Iterator[str]:
    """Cut a text that is too long for one message: at the end of a line or word, else where it is full.

    Args:
        text: The text; blank ones give nothing.
        limit: UTF-16 units, which is how Telegram counts.
    """
    while text.strip():
        end = _fitting(text, limit)
        if end < len(text):
            window = text[:end]
            at = max(window.rfind("\n"), window.rfind(" "))
            end = at + 1 if at > end // 2 else end
        yield text[:end].strip() or "…"
        text = text[end:]


def _fitting(text: str, limit: int) -> int:
    """Return how many characters fit into `limit` UTF-16 units."""
    units = 0
    for position, character in enumerate(text):
        units += 2 if ord(character) > 0xFFFF else 1
        if units > limit:
            return position
    return len(text)


def as_form(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters for a request that carries a file: nested ones as JSON."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in parameters.items()}
