"""Classes of the 0.2 dialect."""

from enum import Enum
from typing import Any

from pydantic import BaseModel, model_validator

from botyard.fsm.messages.kinds import MessageType


class TextMessage(BaseModel):
    """Plain text."""

    header: str | None = None
    body: str
    footer: str | None = None


class AudioMessage(BaseModel):
    """Speech or sound behind an address."""

    media_url: str


class Option(BaseModel):
    """One choice of a message."""

    option_id: str
    option_text: str

    @model_validator(mode="before")
    @classmethod
    def _accept_options_list_type(cls, value: Any) -> Any:
        if isinstance(value, BaseModel) and hasattr(value, "title"):
            return {"option_id": getattr(value, "id", ""), "option_text": value.title}
        if isinstance(value, dict) and "id" in value and "option_id" not in value:
            return {"option_id": value["id"], "option_text": value.get("title", "")}
        return value

    @property
    def id(self) -> str:
        """The id under its name in the 0.1 dialect."""
        return self.option_id

    @property
    def title(self) -> str:
        """The text under its name in the 0.1 dialect."""
        return self.option_text


class InteractiveMessage(BaseModel):
    """What messages with choices share."""

    header: str
    body: str
    footer: str


class ButtonMessage(InteractiveMessage):
    """A few choices as buttons."""

    options: list[Option]


class ListMessage(InteractiveMessage):
    """Many choices behind one button."""

    button_text: str
    list_title: str
    options: list[Option]


class FormMessage(BaseModel):
    """A form that the channel knows by its id."""

    header: str
    body: str
    footer: str
    form_id: str


class ImageMessage(BaseModel):
    """A picture behind an address."""

    url: str
    caption: str


class DocumentMessage(BaseModel):
    """A document behind an address."""

    url: str
    name: str
    caption: str


class InteractiveReplyMessage(BaseModel):
    """The choices that a user made."""

    options: list[Option]


class FormReplyMessage(BaseModel):
    """What a user entered into a form."""

    form_data: dict[str, str]


class DialogOption(Enum):
    """What a dialog is about."""

    CONVERSATION_RESET = "CONVERSATION_RESET"
    LANGUAGE_CHANGE = "LANGUAGE_CHANGE"
    LANGUAGE_SELECTED = "LANGUAGE_SELECTED"


class DialogMessage(BaseModel):
    """A step of a dialog between platform and user, such as the choice of a language."""

    dialog_id: DialogOption
    dialog_input: str | None = None


class Message(BaseModel):
    """One message: its type, and the member that the type names."""

    message_type: MessageType
    text: TextMessage | None = None
    audio: AudioMessage | None = None
    button: ButtonMessage | None = None
    option_list: ListMessage | None = None
    interactive_reply: InteractiveReplyMessage | None = None
    form: FormMessage | None = None
    form_reply: FormReplyMessage | None = None
    image: ImageMessage | None = None
    document: DocumentMessage | None = None
    dialog: DialogMessage | None = None

    @model_validator(mode="after")
    def _has_what_its_type_names(self) -> "Message":
        member = self.message_type.value
        if getattr(self, member, None) is None:
            raise ValueError(f"a message of type {member} needs its member {member!r}")
        return self


class Webhook(BaseModel):
    """The reference that a third party's callback will carry."""

    reference_id: str


class RAGQuery(BaseModel):
    """A question to a collection of documents."""

    type: str | None = None
    collection_name: str = ""
    query: str
    top_chunk_k_value: int = 5
    do_hybrid_search: bool = False
