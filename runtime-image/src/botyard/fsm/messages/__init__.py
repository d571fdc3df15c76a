"""What a machine sends and receives: the message classes of both dialects, and their one neutral form.

`legacy` and `current` hold the classes that only one dialect has, `output` the FSMOutput that both share, `neutral` the
JSON that leaves the machine's process.
"""

from botyard.fsm.messages.current import (
    AudioMessage,
    ButtonMessage,
    DialogMessage,
    DialogOption,
    DocumentMessage,
    FormMessage,
    FormReplyMessage,
    ImageMessage,
    InteractiveMessage,
    InteractiveReplyMessage,
    ListMessage,
    Message,
    Option,
    RAGQuery,
    TextMessage,
    Webhook,
)
from botyard.fsm.messages.kinds import FSMIntent, MessageType
from botyard.fsm.messages.legacy import MessageData, OptionsListType, UploadFile
from botyard.fsm.messages.neutral import neutral_outputs
from botyard.fsm.messages.output import FSMInput, FSMOutput

__all__ = [
    "AudioMessage",
    "ButtonMessage",
    "DialogMessage",
    "DialogOption",
    "DocumentMessage",
    "FSMInput",
    "FSMIntent",
    "FSMOutput",
    "FormMessage",
    "FormReplyMessage",
    "ImageMessage",
    "InteractiveMessage",
    "InteractiveReplyMessage",
    "ListMessage",
    "Message",
    "MessageData",
    "MessageType",
    "Option",
    "OptionsListType",
    "RAGQuery",
    "TextMessage",
    "UploadFile",
    "Webhook",
    "neutral_outputs",
]
