"""AbstractFSM, and what bots import beside it."""

from enum import Enum
from typing import Any, Dict, List, Optional, Set  # noqa: UP035 - bots import these names from here

from pydantic import BaseModel
from transitions import Machine

from botyard.fsm import AbstractFSM, OptionParser, Parser, Variables
from jb_manager_bot.data_models import *  # noqa: F403
from jb_manager_bot.data_models import __all__ as _data_models

__all__ = [
    *_data_models,
    "AbstractFSM",
    "Any",
    "BaseModel",
    "Dict",
    "Enum",
    "List",
    "Machine",
    "OptionParser",
    "Optional",
    "Parser",
    "Set",
    "Variables",
]
