"""What a saved session of an FSM bundle must fit: the states, plugins and variables of one revision.

A bundle's manifest contains it (`machine`), so the operator and the gateway can judge sessions without its code.
"""

from typing import Any

from pydantic import Field

from botyard.contract.base import Document


class MachineShape(Document):
    """The parts of a machine that its saved sessions name."""

    states: tuple[str, ...] = ()
    variables: dict[str, Any] | None = None
    """JSON schema of the declared variables; None where they are a dict, which takes everything."""
    nested: dict[str, "MachineShape"] = Field(default_factory=dict)
    """Its plugins by name."""
