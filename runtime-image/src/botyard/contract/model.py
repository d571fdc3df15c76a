"""Which models a Bot's calls use: part of `bot.json`, reloaded live. Keys are not here but in files of a Secret."""

from typing import Annotated, Literal

from pydantic import Field

from botyard.contract.base import Document

SCRIPT_SUFFIX = ".model-script.yaml"
"""Ends the names of model scripts, which lie beside `bot.json`."""


class ModelTarget(Document):
    """One model at one provider."""

    provider: Literal["openai", "scripted"] = "openai"
    name: str = ""
    """Name of the model at its provider."""
    endpoint: str = ""
    """Base URL; empty: OpenAI's own."""
    key: str = ""
    """File of the API key below MODEL_KEYS_DIR; empty: none is sent."""
    script: str = ""
    """File of the script below CONFIG_DIR, for the scripted provider."""


class ModelConfig(ModelTarget):
    """The Bot's model, and others for single roles."""

    roles: dict[str, ModelTarget] = Field(default_factory=dict)
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Calls of one model that one replica makes at once; further ones wait."""

    def targets(self) -> tuple[ModelTarget, ...]:
        """Return the Bot's model and those of its roles."""
        return (self, *self.roles.values())
