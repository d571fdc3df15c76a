"""The parts of Telegram's updates that a bot can use (https://core.telegram.org/bots/api#update)."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from botyard.channels.telegram.choices import LANGUAGE_PREFIX, option_of


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Chat(_Part):
    """Where something was said."""

    id: int


class User(_Part):
    """Who said it."""

    id: int


class File(_Part):
    """A photo's size, a document or a sound."""

    file_id: str = Field(max_length=512)
    file_name: str = ""
    mime_type: str = ""
    file_size: int | None = None


class WebAppData(_Part):
    """What a Web App sent."""

    data: str


class Message(_Part):
    """One message."""

    message_id: int = 0
    chat: Chat
    sender: User | None = Field(default=None, alias="from")
    text: str = ""
    caption: str = ""
    photo: tuple[File, ...] = ()
    document: File | None = None
    audio: File | None = None
    voice: File | None = None
    web_app_data: WebAppData | None = None
    reply_markup: dict[str, Any] = Field(default_factory=dict)

    @property
    def file(self) -> File | None:
        """The file that it carries; of a photo the largest size."""
        return (self.photo[-1] if self.photo else None) or self.document or self.audio or self.voice

    @property
    def file_kind(self) -> str:
        """What kind of file that is."""
        if self.photo:
            return "image"
        return "document" if self.document else "audio"


class CallbackQuery(_Part):
    """A pressed button."""

    id: str
    sender: User = Field(alias="from")
    message: Message | None = None
    data: str = ""

    def title(self) -> str:
        """The text of the pressed button."""
        rows = self.message.reply_markup.get("inline_keyboard") if self.message else None
        for row in rows if isinstance(rows, list) else ():
            for button in row if isinstance(row, list) else ():
                if isinstance(button, dict) and button.get("callback_data") == self.data:
                    return str(button.get("text", ""))
        return ""


class Update(_Part):
    """One thing that happened."""

    update_id: int
    message: Message | None = None
    callback_query: CallbackQuery | None = None


def payload_of_message(message: Message) -> dict[str, Any] | None:
    """Return what the bot gets for a message without a file; None for what is no message to it."""
    if message.web_app_data is not None:
        return {"payload": {"kind": "form_reply", "form_data": _form_data(message.web_app_data.data)}}
    if message.text.partition(" ")[0].partition("@")[0] == "/start":
        return {"payload": {"kind": "dialog", "dialog_id": "CONVERSATION_RESET"}}
    return {"text": message.text} if message.text else None


def payload_of_button(query: CallbackQuery, full_id: str | None) -> dict[str, Any]:
    """Return what the bot gets for a pressed button.

    Args:
        query: The update's.
        full_id: The option's id where it was too long for a button.
    """
    if query.data.startswith(LANGUAGE_PREFIX):
        code = query.data.removeprefix(LANGUAGE_PREFIX)
        return {"payload": {"kind": "dialog", "dialog_id": "LANGUAGE_SELECTED", "dialog_input": code}}
    return {"options": [{"id": full_id or option_of(query.data), "title": query.title()}]}


def _form_data(text: str) -> dict[str, str]:
    try:
        content = json.loads(text)
    except ValueError:
        return {"data": text}
    if not isinstance(content, dict):
        return {"data": text}
    return {
        str(name): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in content.items()
    }
