"""Bodies of the question whether sessions can go on with another revision."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from botyard.gateway.models.base import Answer


class MachineBody(BaseModel):
    """The member `machine` of a bundle's manifest; members that say nothing of sessions are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    states: list[str] = Field(default_factory=list, max_length=10_000)
    variables: dict[str, Any] | None = Field(default=None, description="JSON schema of the variables; null: any.")
    nested: dict[str, "MachineBody"] = Field(default_factory=dict, description="Machines of the plugins, by name.")


class CompatibilityRequest(BaseModel):
    """A manifest as `botyard inspect --format json` prints it, or its member `machine` alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    machine: MachineBody


class Incompatibility(Answer):
    """Why sessions cannot go on."""

    kind: str = Field(description="StateGone, PluginGone, VariableGone, VariableInvalid or NotASession.")
    subject: str = Field(description="The state, plugin or variable.")
    message: str
    sessions: int
    examples: tuple[str, ...] = Field(default=(), description="Some of the conversations.")


class CompatibilityAnswer(Answer):
    """What a revision would find."""

    sessions: int = Field(description="Stored sessions of the bot.")
    incompatible: int = Field(description="Of them, those that cannot go on.")
    causes: tuple[Incompatibility, ...] = Field(default=(), description="Most sessions first, 50 at most.")
