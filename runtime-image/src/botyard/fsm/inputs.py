"""Turns an event of the platform into what a machine gets as its input; docs/fsm.md has the table."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botyard.fsm.errors import FsmError
from botyard.fsm.files import FileRules, ReceivedFile, fetch
from botyard.fsm.questions import Question, chunks_of, is_question, is_read_as_input
from botyard.program import TurnRequest

RESET = "reset"
"""What a machine gets as the first input after the conversation was reset."""
LANGUAGE_SELECTED = "language_selected"
RESET_WORD = "hi"
AUDIO_TYPES = ("audio/", "video/ogg")
"""Media types of sound; voice messages of some messengers come as the second."""


class InputError(FsmError):
    """The event is not one that a machine can get."""


@dataclass(frozen=True, slots=True)
class MachineInput:
    """What one turn gives to the machine."""

    user_input: str | bytes | None = None
    callback: str | None = None
    files: tuple[ReceivedFile, ...] = ()
    text: str = ""
    """What the user wrote beside a file."""
    reset: bool = False
    """The session starts anew before the input is given."""
    chunks: tuple[Any, ...] | None = None
    """A retrieval's answer: a callback, or user input for a machine that waits for that (the 0.1 dialect)."""
    reference: str = ""
    """The reference that the callback came with."""
    question: Question | None = None
    """To be answered first: the answer is the callback."""
    is_plain_text: bool = False
    """The user wrote it: it may be translated."""
    is_audio: bool = False
    """The user spoke: the first file is sound."""

    @property
    def kind(self) -> str:
        """What the platform calls it."""
        return "message" if self.callback is None and self.question is None else "callback"

    def answered(self, chunks: list[Any]) -> "MachineInput":
        """Return the input that a retrieval's answer is."""
        # Each chunk is JSON inside the JSON list: that is how bots read it.
        encoded = json.dumps([json.dumps(chunk, ensure_ascii=False) for chunk in chunks], ensure_ascii=False)
        as_input = is_read_as_input(self.reference)
        return MachineInput(callback=encoded, chunks=tuple(chunks) if as_input else None, reference=self.reference)


async def read(request: TurnRequest, rules: FileRules) -> MachineInput:
    """Return the input of a request.

    Raises:
        InputError: The event's content is none that a machine can get.
        FileError: A file of the message cannot be fetched.
    """
    payload = request.payload
    if request.kind == "callback":
        return _callback(payload)
    if request.kind != "message":
        raise InputError(f"A machine cannot get an event of kind {request.kind!r}: it takes messages and callbacks.")
    text = str(payload.get("text") or "")
    structured = payload.get("payload")
    if structured:
        sent = _sent_file(structured)
        if sent is None:
            return _structured(structured)
        return await _files([sent[0]], sent[1] or text, rules, audio=sent[0]["name"] == "audio")
    if payload.get("options"):
        return MachineInput(user_input=_interactive(payload["options"]))
    references = payload.get("files") or ()
    if references:
        return await _files(references, text, rules)
    if text.strip().casefold() == RESET_WORD:
        return MachineInput(user_input=RESET, reset=True)
    return MachineInput(user_input=text, is_plain_text=True)


def starts_anew(payload: Mapping[str, Any]) -> bool:
    """Tell whether a message begins a new session, whatever the present one is."""
    structured = payload.get("payload")
    if structured and isinstance(structured, Mapping):
        nested = structured.get("dialog")
        dialog = nested if isinstance(nested, Mapping) else structured
        return str(dialog.get("dialog_id", "")).upper() == "CONVERSATION_RESET"
    if structured or payload.get("options") or payload.get("files"):
        return False
    return str(payload.get("text") or "").strip().casefold() == RESET_WORD


async def _files(
    references: Iterable[dict[str, Any]], text: str, rules: FileRules, *, audio: bool = False
) -> MachineInput:
    files = tuple([await fetch(reference, rules) for reference in references])
    audio = audio or files[0].mime_type.lower().startswith(AUDIO_TYPES)
    return MachineInput(user_input=files[0].content, files=files, text=text, is_audio=audio)


def _sent_file(payload: Any) -> tuple[dict[str, Any], str] | None:
    """Return the file of a message of kind image, document or audio, and its caption; None for other messages."""
    if not isinstance(payload, Mapping):
        return None
    kind = payload.get("kind") or payload.get("message_type")
    if kind not in ("image", "document", "audio"):
        return None
    content = payload.get(kind)
    inner: Mapping[str, Any] = content if isinstance(content, Mapping) else payload
    url = inner.get("url") or inner.get("media_url")
    if not url:
        raise InputError(f'A message of kind {kind!r} needs "url" (or "media_url"): where the file is fetched.')
    named = {"name": inner.get("name") or kind, "url": url, "type": inner.get("mime_type") or ""}
    return named, str(inner.get("caption") or "")


def _callback(payload: Mapping[str, Any]) -> MachineInput:
    reference = str(payload.get("reference", ""))
    if question := Question.read(payload):
        return MachineInput(reference=reference, question=question)
    chunks = payload.get("chunks")
    if chunks is None and is_question(reference):
        chunks = chunks_of(payload.get("body"))
    if isinstance(chunks, list):
        return MachineInput(reference=reference).answered(chunks)
    body = payload.get("body", "")
    return MachineInput(
        callback=body if isinstance(body, str) else json.dumps(body, ensure_ascii=False),
        reference=reference,
    )


def _structured(payload: Any) -> MachineInput:
    if not isinstance(payload, Mapping):
        raise InputError("`payload` must be an object.")
    kind = payload.get("kind") or payload.get("message_type")
    content = payload.get(kind) if isinstance(kind, str) else None
    inner: Mapping[str, Any] = content if isinstance(content, Mapping) else payload
    if kind == "interactive_reply" or (kind is None and "options" in payload):
        return MachineInput(user_input=_interactive(inner.get("options")))
    if kind == "form_reply" or (kind is None and "form_data" in payload):
        data = inner.get("form_data")
        if not isinstance(data, Mapping):
            raise InputError('A form\'s reply needs "form_data": an object of field and value.')
        return MachineInput(user_input=json.dumps(data, ensure_ascii=False))
    if kind == "dialog" or (kind is None and "dialog_id" in payload):
        return _dialog(str(inner.get("dialog_id", "")).upper())
    if kind == "text":
        return MachineInput(user_input=str(inner.get("body", inner.get("text", ""))), is_plain_text=True)
    if kind is None:
        return MachineInput(user_input=json.dumps(dict(payload), ensure_ascii=False))
    raise InputError(
        f"A machine cannot get a message of kind {kind!r}: send text, interactive_reply, form_reply, dialog,"
        " image, document or audio."
    )


def _dialog(identity: str) -> MachineInput:
    if identity == "CONVERSATION_RESET":
        return MachineInput(user_input=RESET, reset=True)
    if identity == "LANGUAGE_SELECTED":
        return MachineInput(user_input=LANGUAGE_SELECTED)
    raise InputError(f"There is no dialog {identity!r}: send CONVERSATION_RESET or LANGUAGE_SELECTED.")


def _interactive(options: Any) -> str:
    """Return the chosen options the way bots read them: a JSON list of option_id and option_text."""
    try:
        chosen = [
            {
                "option_id": str(option.get("option_id", option.get("id", ""))),
                "option_text": str(option.get("option_text", option.get("title", ""))),
            }
            for option in options
        ]
    except (TypeError, AttributeError):
        raise InputError("Chosen options must be a list of objects with option_id and option_text.") from None
    return json.dumps(chosen, ensure_ascii=False)
