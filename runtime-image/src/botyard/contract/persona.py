"""What a runtime pod learns about the Personas of its Bot from the ConfigMaps `<bot>-personas-<n>`, reloaded live."""

from typing import Any

from pydantic import Field

from botyard.contract.base import Document
from botyard.contract.spending import PersonaBudget


class PersonaConfig(Document):
    """One Persona as the runtime sees it."""

    name: str
    uid: str = ""
    display_name: str = ""
    setup: dict[str, Any] = Field(default_factory=dict)
    max_in_progress: int | None = None
    budget: PersonaBudget = PersonaBudget()


class PersonaShard(Document):
    """The content of one shard (`personas.json`)."""

    personas: tuple[PersonaConfig, ...] = ()
