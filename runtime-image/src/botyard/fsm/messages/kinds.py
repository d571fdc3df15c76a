"""The kinds of messages of both dialects."""

from enum import Enum


class MessageType(Enum):
    """Kind of a message; INTERACTIVE is the 0.1 dialect's word for buttons and lists."""

    TEXT = "text"
    INTERACTIVE = "interactive"
    AUDIO = "audio"
    BUTTON = "button"
    OPTION_LIST = "option_list"
    INTERACTIVE_REPLY = "interactive_reply"
    FORM = "form"
    FORM_REPLY = "form_reply"
    DOCUMENT = "document"
    IMAGE = "image"
    DIALOG = "dialog"


class FSMIntent(Enum):
    """What an output of the 0.2 dialect asks for."""

    CONVERSATION_RESET = "CONVERSATION_RESET"
    LANGUAGE_CHANGE = "LANGUAGE_CHANGE"
    SEND_MESSAGE = "SEND_MESSAGE"
    RAG_CALL = "RAG_CALL"
    WEBHOOK = "WEBHOOK"
