"""The names under which existing bots import Botyard's finite state machines; see `botyard.fsm`."""

from botyard.fsm import (
    AbstractFSM,
    FSMOutput,
    MessageData,
    MessageType,
    OptionsListType,
    ReturnStatus,
    Status,
    UploadFile,
    Variables,
)

__all__ = [
    "AbstractFSM",
    "FSMOutput",
    "MessageData",
    "MessageType",
    "OptionsListType",
    "ReturnStatus",
    "Status",
    "UploadFile",
    "Variables",
]
