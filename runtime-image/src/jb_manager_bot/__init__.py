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

# Bots also read the modules as attributes of the package: `import jb_manager_bot; jb_manager_bot.data_models`.
from jb_manager_bot import abstract_fsm as abstract_fsm
from jb_manager_bot import data_models as data_models
from jb_manager_bot import parsers as parsers

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
