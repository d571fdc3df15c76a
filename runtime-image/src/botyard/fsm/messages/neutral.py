"""One JSON form for everything that machines send, whatever dialect the bot writes.

The form is documented in docs/fsm.md; channels and clients know only this one.
"""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from botyard.fsm.errors import OutputError
from botyard.fsm.messages.current import DialogMessage, DialogOption, Message
from botyard.fsm.messages.kinds import FSMIntent, MessageType
from botyard.fsm.messages.legacy import UploadFile
from botyard.fsm.messages.output import FSMOutput

MAX_BUTTONS = 3
"""More options than this are a list: what the common messengers show as buttons."""
MAX_FILE_BYTES = 8 * 1024 * 1024
"""Largest file that travels inside a message; larger ones are sent by address."""

MESSAGE = "bot.message"
RAG_CALL = "bot.rag_call"
LANGUAGE_CHANGE = "bot.language_change"
CONVERSATION_RESET = "bot.conversation_reset"

Neutral = tuple[str, dict[str, Any]]
"""Type of the output, and its data."""


def neutral_outputs(output: FSMOutput) -> list[Neutral]:
    """Return what leaves the machine for one output: nothing (a webhook reference), or one event.

    Raises:
        OutputError: A file to send cannot be read or is too large.
    """
    return _from_current(output) if output.intent is not None else _from_legacy(output)


def references(output: FSMOutput) -> list[str]:
    """Return the callback references that an output announces."""
    found = [output.webhook.reference_id] if output.webhook is not None else []
    return [*found, output.plugin_uuid] if output.plugin_uuid else found


def _from_current(output: FSMOutput) -> list[Neutral]:
    if output.intent is FSMIntent.LANGUAGE_CHANGE:
        return [(LANGUAGE_CHANGE, {})]
    if output.intent is FSMIntent.CONVERSATION_RESET:
        return [(CONVERSATION_RESET, {})]
    if output.rag_query is not None and output.intent is FSMIntent.RAG_CALL:
        query = output.rag_query
        return [
            (
                RAG_CALL,
                _present(
                    query=query.query,
                    collection=query.collection_name,
                    top_k=query.top_chunk_k_value,
                    hybrid=query.do_hybrid_search,
                    type=query.type,
                ),
            )
        ]
    if output.message is not None and output.intent is FSMIntent.SEND_MESSAGE:
        kind, data = _message(output.message)
        if kind == MESSAGE and output.dest == "channel":
            data["verbatim"] = True
        return [(kind, data)]
    return []


def _message(message: Message) -> Neutral:
    kind = message.message_type
    if message.dialog is not None and kind is MessageType.DIALOG:
        return _dialog(message.dialog)
    data: dict[str, Any]
    if message.text is not None and kind is MessageType.TEXT:
        data = _texts("text", message.text.header, message.text.body, message.text.footer)
    elif message.button is not None and kind is MessageType.BUTTON:
        button = message.button
        data = _texts("buttons", button.header, button.body, button.footer)
        data["options"] = _options((o.option_id, o.option_text) for o in button.options)
    elif message.option_list is not None and kind is MessageType.OPTION_LIST:
        listed = message.option_list
        data = _texts("list", listed.header, listed.body, listed.footer)
        data["options"] = _options((o.option_id, o.option_text) for o in listed.options)
        data["menu"] = _present(button=listed.button_text, title=listed.list_title)
    elif message.image is not None and kind is MessageType.IMAGE:
        data = _texts("image", None, message.image.caption, None)
        data["media"] = {"url": message.image.url}
    elif message.document is not None and kind is MessageType.DOCUMENT:
        data = _texts("document", None, message.document.caption, None)
        data["media"] = _present(url=message.document.url, name=message.document.name)
    elif message.audio is not None and kind is MessageType.AUDIO:
        data = {"kind": "audio", "text": "", "media": {"url": message.audio.media_url}}
    elif message.form is not None and kind is MessageType.FORM:
        data = _texts("form", message.form.header, message.form.body, message.form.footer)
        data["form"] = {"id": message.form.form_id}
    elif message.interactive_reply is not None and kind is MessageType.INTERACTIVE_REPLY:
        data = {"kind": "interactive_reply", "text": ""}
        data["options"] = _options((o.option_id, o.option_text) for o in message.interactive_reply.options)
    else:
        data = {"kind": "form_reply", "text": "", "form": {"data": dict(message.form_reply.form_data)}}  # type: ignore[union-attr]
    return MESSAGE, data


def _dialog(dialog: DialogMessage) -> Neutral:
    if dialog.dialog_id is DialogOption.LANGUAGE_CHANGE:
        return LANGUAGE_CHANGE, {}
    if dialog.dialog_id is DialogOption.CONVERSATION_RESET:
        return CONVERSATION_RESET, {}
    member = _present(id=dialog.dialog_id.value, input=dialog.dialog_input)
    return MESSAGE, {"kind": "dialog", "text": "", "dialog": member}


def _from_legacy(output: FSMOutput) -> list[Neutral]:
    texts = output.message_data
    body = texts.body if texts is not None else ""
    if output.dest == "rag":
        return [(RAG_CALL, {"query": body, "collection": "", "top_k": 5, "hybrid": False})]
    if output.dialog is not None or output.type is MessageType.DIALOG:
        return [_legacy_dialog((output.dialog or body).strip(), body)]
    kind = _legacy_kind(output)
    header, footer = (texts.header, texts.footer) if texts is not None else (None, None)
    data = _texts(kind, header, body, footer)
    if output.options_list is not None:
        data["options"] = _options((o.id, o.title) for o in output.options_list)
    if kind == "list":
        data["menu"] = _present(button=output.menu_title, title=output.menu_selector)
    media = _present(url=output.media_url)
    if output.file is not None:
        media |= _file(output.file)
    if media:
        data["media"] = media
    if kind == "form":
        data["form"] = _present(id=output.whatsapp_flow_id, screen=output.whatsapp_screen_id, token=output.form_token)
    if output.dest == "channel":
        data["verbatim"] = True
    if output.plugin_uuid and data == {"kind": "text", "text": ""}:
        return []  # nothing but the announcement of a reference
    return [(MESSAGE, data)]


def _legacy_dialog(name: str, body: str) -> Neutral:
    known = name.upper()
    if known in ("LANGUAGE", "LANG", DialogOption.LANGUAGE_CHANGE.value):
        return LANGUAGE_CHANGE, {"text": body} if body and body != name else {}
    if known in ("RESET", DialogOption.CONVERSATION_RESET.value):
        return CONVERSATION_RESET, {}
    return MESSAGE, {"kind": "dialog", "text": body, "dialog": {"id": name}}


def _legacy_kind(output: FSMOutput) -> str:
    if output.options_list is not None and output.type in (
        MessageType.TEXT,
        MessageType.INTERACTIVE,
        MessageType.BUTTON,
        MessageType.OPTION_LIST,
    ):
        wants_list = output.type is MessageType.OPTION_LIST or output.menu_selector or output.menu_title
        return "list" if wants_list or len(output.options_list) > MAX_BUTTONS else "buttons"
    return {
        MessageType.INTERACTIVE: "text",
        MessageType.BUTTON: "text",
        MessageType.OPTION_LIST: "text",
    }.get(output.type, output.type.value)


def _file(file: UploadFile) -> dict[str, Any]:
    path = Path(file.path)
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise OutputError(
                f"File {file.filename!r} has {size} bytes, a message carries at most {MAX_FILE_BYTES}: "
                f"send its address in media_url."
            )
        content = path.read_bytes()
    except OSError as error:
        raise OutputError(f"File {file.filename!r} cannot be read from {file.path!r}: {error}") from error
    return {
        "name": file.filename,
        "mime_type": file.mime_type,
        "size": len(content),
        "content": base64.b64encode(content).decode("ascii"),
    }


def _texts(kind: str, header: str | None, body: str, footer: str | None) -> dict[str, Any]:
    return {"kind": kind, "text": body, **_present(header=header, footer=footer)}


def _options(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"id": identity, "title": title} for identity, title in pairs]


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None and value != ""}
