"""AbstractFSM, and what bots import beside it."""

import uuid
from abc import ABC
from typing import Any, Set  # noqa: UP035 - bots import these names from here

from transitions import Machine

from botyard.fsm import AbstractFSM, OptionParser, Parser, Variables
from jb_manager_bot.data_models import *  # noqa: F403
from jb_manager_bot.data_models import __all__ as _data_models

__all__ = [
    *_data_models,
    "ABC",
    "AbstractFSM",
    "Any",
    "Machine",
    "OptionParser",
    "Parser",
    "Set",
    "Variables",
    "uuid",
]
