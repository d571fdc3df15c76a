"""What a runtime pod learns about the Personas of its Bot from the ConfigMaps `<bot>-personas-<n>`, reloaded live."""

from typing import Any

from pydantic import Field

from botyard.contract.base import Document
from botyard.contract.erp import ErpSubscription
from botyard.contract.spending import PersonaBudget


class ScheduleConfig(Document):
    """Work that comes by the clock."""

    name: str
    type: str
    """What is due: `SCHED_TASK_SORT`, `SCHED_TODO`, `SCHED_PICK_ONE` or `SCHED_ANY`."""
    when: str
    """`EVERY:5m`, `WEEKDAYS:MO:FR/09:00` or `MONTHDAY:-1/17:30`, in the time zone of the budget."""
    question: str = ""
    """What a model is asked then."""
    expert: str = ""
    """Who is asked; empty: the default expert."""


class PersonaConfig(Document):
    """One Persona as the runtime sees it."""

    name: str
    uid: str = ""
    display_name: str = ""
    setup: dict[str, Any] = Field(default_factory=dict)
    max_in_progress: int | None = None
    budget: PersonaBudget = PersonaBudget()
    schedules: tuple[ScheduleConfig, ...] | None = None
    """None: those of the bundle."""
    subscriptions: tuple[ErpSubscription, ...] | None = None
    """Rows that it wants to hear of; the gateway routes by them. None: what the bundle has handlers for."""
    secrets_version: str = ""
    """Not empty: a part of it is kept in Secrets (`PersonaSecrets`); another one whenever that may have changed."""
    mongo_uri: str = Field(default="", repr=False)
    """Address of its own MongoDB. Set by the runtime, from a Secret; never part of a ConfigMap."""
    database: str = Field(default="", repr=False, exclude=True)
    """Address of the company's database with its own role. Set by the supervisor, from a Secret; it goes nowhere else,
    to no ConfigMap and no worker: excluded wherever the Persona is written."""


class PersonaSecrets(Document):
    """What of one Persona is kept in Secrets (`<persona>.json` of a mounted Secret)."""

    setup: dict[str, str] = Field(default_factory=dict, repr=False)
    """Values of the setup, by key."""
    mongo: str = Field(default="", repr=False)
    """Address of its MongoDB; empty: it has none."""
    database: str = Field(default="", repr=False)
    """Address of the company's database with its own role; empty: it has none."""


class PersonaShard(Document):
    """The content of one shard (`personas.json`)."""

    personas: tuple[PersonaConfig, ...] = ()
