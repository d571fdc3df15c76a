"""What a machine is doing between two steps, and how a plugin ended."""

from enum import Enum
from typing import Any


class Status(Enum):
    """The status that a state leaves behind.

    The numbers are part of the saved state and never change.
    """

    WAIT_FOR_ME = 0
    """Set at the top of a state while it works; a state that ends with it is reported as unfinished."""
    WAIT_FOR_USER_INPUT = 1
    MOVE_FORWARD = 2
    WAIT_FOR_CALLBACK = 3
    WAIT_FOR_PLUGIN = 4
    """Set by `run_plugin` while a nested machine waits; not for bots."""
    END = 5


class ReturnStatus(Enum):
    """How a plugin ended; a plugin declares its own values in `return_status_values`."""

    SUCCESS = "SUCCESS"


def default_return_status(cls: Any) -> Any:
    """Return what a machine of class `cls` reports that sets no `return_status`."""
    return getattr(cls.return_status_values, "SUCCESS", ReturnStatus.SUCCESS)
