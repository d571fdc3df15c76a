"""The schema of scenarios."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from botyard.contract.persona import PersonaConfig

REST = "..."
"""An expectation that stands for any number of further outputs; the last one of a list."""


class ScenarioError(Exception):
    """A scenario file cannot be used; the message names file and line."""


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True, coerce_numbers_to_str=True
    )


class Expectation(_Part):
    """One output of the bot. What is not given is not looked at."""

    event: str | None = None
    """Type of the output; left out: an answer of the bot."""
    tool: str | None = None
    """Of a loop bot: a call of this tool; its result is the text."""
    arguments: dict[str, Any] | None = None
    """What the model gave the tool; more may be there."""
    text: str | None = None
    contains: tuple[str, ...] = ()
    regex: str | None = None
    """Found anywhere in the text; its named groups are values for later steps, as `${name}`."""
    kind: str | None = None
    options: tuple[str, ...] | None = None
    """Titles, in their order."""
    data: dict[str, Any] | None = None
    """Members that the output's data must have, compared by value; more may be there."""

    @model_validator(mode="before")
    @classmethod
    def _a_text_alone(cls, value: Any) -> Any:
        return {"text": value} if isinstance(value, str | int | float) and value is not True else value

    @field_validator("contains", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class ExpectedError(_Part):
    """How a turn fails."""

    kind: str | None = None
    contains: str = ""

    @model_validator(mode="before")
    @classmethod
    def _a_kind_alone(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value


class Confirmation(_Part):
    """What a person decides on calls of a loop bot that wait for it."""

    allow: bool = True
    reason: str = ""
    tool: str = ""
    """Calls of this tool alone; empty: all that wait in one thread."""

    @model_validator(mode="before")
    @classmethod
    def _yes_or_no(cls, value: Any) -> Any:
        return {"allow": value} if isinstance(value, bool) else value


class Move(_Part):
    """A task of a loop bot goes to another column of the board."""

    task: str
    """Its title or id."""
    to: str


class Judge(_Part):
    """What a model is asked about the whole conversation, where the run has one (`--judge`)."""

    instructions: str
    threshold: float = Field(default=7.0, ge=1, le=10)
    """The scenario fails below this rating."""


class SentFile(_Part):
    """A file that the user sends."""

    name: str = "file"
    type: str = "application/octet-stream"
    text: str | None = None
    path: str | None = None
    """Relative to the scenario's file."""

    @model_validator(mode="after")
    def _has_content(self) -> "SentFile":
        if (self.text is None) == (self.path is None):
            raise ValueError("give exactly one of `text` and `path`")
        return self


ACTIONS = (
    "say", "press", "callback", "form", "language", "reset", "file", "payload", "wait",
    "confirm", "task", "move", "event",
)  # fmt: skip
OF_LOOP_BOTS = ("confirm", "task", "move", "event")


class Step(_Part):
    """One thing that happens, and what the bot must do then."""

    say: str | None = None
    press: str | None = None
    """Id or title of an option that the bot's last choices offer."""
    callback: Any = None
    """Body of a third party's callback: a text, or what is sent as JSON."""
    reference: str | None = None
    """The callback's reference; the one that the bot handed out last, if left out."""
    form: dict[str, str] | None = None
    language: str | None = None
    reset: Literal[True] | None = None
    file: SentFile | None = None
    payload: dict[str, Any] | None = None
    """A structured message as it is."""
    wait: float | None = Field(default=None, ge=0)
    """Seconds that pass: what is due until then happens."""
    thread: str = "main"
    """Of a loop bot: where `say` says it."""
    expert: str = ""
    """Of a loop bot: who answers in a thread that begins with this `say`; empty: the default one."""
    confirm: Confirmation | None = None
    task: dict[str, Any] | str | None = None
    """A task comes to the board: its title, or {title, details, column, expert, id}."""
    move: Move | None = None
    event: dict[str, Any] | None = None
    """Any other event of the Persona, or of the `thread` named in it, as the platform writes it."""

    expect: tuple[Expectation | Literal["..."], ...] | None = None
    """All outputs of the step in their order; not looked at if left out."""
    error: ExpectedError | None = None
    ended: bool | None = None
    state: str | None = None
    variables: dict[str, Any] | None = None
    """Variables that the session must have then; more may be there."""
    board: dict[str, tuple[str, ...]] | None = None
    """Titles of a loop bot's tasks, by column; columns that are left out are not looked at."""

    line: int = Field(default=0, exclude=True)

    @field_validator("expect", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | dict) else value

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Step":
        given = [name for name in ACTIONS if name in self.model_fields_set]
        if len(given) != 1:
            has = ", ".join(given) or "none"
            raise ValueError(f"a step is exactly one of {', '.join(ACTIONS)}; this one has {has}")
        if REST in (self.expect or ())[:-1]:
            raise ValueError('"..." stands for the outputs that are left: write it last')
        return self

    @property
    def action(self) -> str:
        """Which of ACTIONS it is."""
        return next(name for name in ACTIONS if name in self.model_fields_set)

    def title(self) -> str:
        """Return the step's action in a few words."""
        value = getattr(self, self.action)
        if self.event is not None and self.event.get("messages"):
            return f"say: {self.event['messages'][-1].get('content')}"[:100]
        words = value if isinstance(value, str) else "" if value is True else str(value)
        return f"{self.action}: {words}"[:100].rstrip(": ")


class Scenario(_Part):
    """One conversation."""

    scenario: str
    """What it shows, as a sentence."""
    description: str = ""
    credentials: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)
    persona: PersonaConfig | None = None
    user: str = "user"
    timeout: float = Field(default=30.0, gt=0, le=600)
    """Seconds that one step may take."""
    tools: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Results of a loop bot's tools, in the order of their calls, in place of what their handlers would bring."""
    judge: Judge | None = None
    steps: tuple[Step, ...] = Field(min_length=1)

    line: int = Field(default=0, exclude=True)
    # Of files of the loop model's kit (see kit_file.py); not written in files of this form.
    replay: tuple[dict[str, Any], ...] = Field(default=(), exclude=True)
    """What the model says where no script does."""
    stand_ins: dict[str, tuple[str, ...]] = Field(default_factory=dict, exclude=True)
    """Results of tools that the bot cannot call here, by tool."""
    providers: tuple[str, ...] = Field(default=(), exclude=True)
    """Accounts that the bot is told it has; tools that fail for want of them bring their `stand_ins`."""

    @field_validator("persona", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"name": "persona", **value} if isinstance(value, dict) else value


def with_setup(scenario: Scenario, setup: Mapping[str, Any]) -> Scenario:
    """Return a scenario whose Persona has these values in its setup, in place of its own."""
    if not setup:
        return scenario
    persona = scenario.persona or PersonaConfig(name="persona")
    changed = persona.model_copy(update={"setup": {**persona.setup, **setup}})
    return scenario.model_copy(update={"persona": changed})
