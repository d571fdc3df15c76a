"""FSMInput and FSMOutput, which bots of both dialects build."""

from typing import Any

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer, model_validator

from botyard.fsm.messages.current import Message, RAGQuery, Webhook
from botyard.fsm.messages.kinds import FSMIntent, MessageType
from botyard.fsm.messages.legacy import MessageData, OptionsListType, UploadFile

_REQUIRED = {
    FSMIntent.SEND_MESSAGE: "message",
    FSMIntent.RAG_CALL: "rag_query",
    FSMIntent.WEBHOOK: "webhook",
}
_CURRENT = frozenset({"intent", "message", "rag_query", "webhook"})


class FSMInput(BaseModel):
    """What a turn gives to the machine: exactly one of the two."""

    user_input: str | bytes | None = None
    callback_input: str | bytes | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "FSMInput":
        if (self.user_input is None) == (self.callback_input is None):
            raise ValueError("give exactly one of user_input and callback_input")
        return self


class FSMOutput(BaseModel):
    """What a state sends: with `intent` the 0.2 dialect, with `message_data` the 0.1 dialect.

    `message_data` can be read on outputs of either: it is filled from the message where it is not given.
    """

    intent: FSMIntent | None = None
    message: Message | None = None
    rag_query: RAGQuery | None = None
    webhook: Webhook | None = None

    dest: str = "out"
    type: MessageType = MessageType.TEXT
    message_data: MessageData | None = None
    options_list: list[OptionsListType] | None = None
    media_url: str | None = None
    file: UploadFile | None = None
    whatsapp_flow_id: str | None = None
    whatsapp_screen_id: str | None = None
    dialog: str | None = None
    menu_selector: str | None = None
    menu_title: str | None = None
    form_token: str | None = None
    plugin_uuid: str | None = None

    @model_validator(mode="after")
    def _is_of_one_dialect(self) -> "FSMOutput":
        if self.intent is None:
            if self.message_data is None:
                raise ValueError("give an intent (and what it needs), or message_data")
            return self
        member = _REQUIRED.get(self.intent)
        if member is not None and getattr(self, member) is None:
            raise ValueError(f"an output of intent {self.intent.value} needs its member {member!r}")
        if self.message_data is None:
            # Past pydantic's own bookkeeping: a derived value is neither "set" nor written out again.
            self.__dict__["message_data"] = _texts_of(self.message)
        return self

    @model_serializer(mode="wrap")
    def _write_own_dialect(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        if self.intent is not None:
            return {k: v for k, v in written.items() if k in _CURRENT or k in self.model_fields_set}
        return {k: v for k, v in written.items() if k not in _CURRENT}


def _texts_of(message: Message | None) -> MessageData:
    """Return the texts of a message of the 0.2 dialect in the 0.1 dialect's form."""
    content = getattr(message, message.message_type.value) if message is not None else None
    body = getattr(content, "body", None)
    if body is None:
        body = getattr(content, "caption", "") or ""
    return MessageData(
        header=getattr(content, "header", None) or None,
        body=body,
        footer=getattr(content, "footer", None) or None,
    )
