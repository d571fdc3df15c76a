"""The YAML of scenarios: its schema, and how files are read."""

import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from botyard.contract.persona import PersonaConfig

REST = "..."
"""An expectation that stands for any number of further outputs; the last one of a list."""
MAX_FILE_BYTES = 1024 * 1024
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class ScenarioError(Exception):
    """A scenario file cannot be used; the message names file and line."""


class _Loader(yaml.SafeLoader):
    """Reads `no`, `on` and dates as the texts that they are in a conversation."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:bool", _TIMESTAMP)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True, coerce_numbers_to_str=True
    )


class Expectation(_Part):
    """One output of the bot. What is not given is not looked at."""

    event: str = "bot.message"
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


ACTIONS = ("say", "press", "callback", "form", "language", "reset", "file", "payload")


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

    expect: tuple[Expectation | Literal["..."], ...] | None = None
    """All outputs of the step in their order; not looked at if left out."""
    error: ExpectedError | None = None
    ended: bool | None = None
    state: str | None = None
    variables: dict[str, Any] | None = None
    """Variables that the session must have then; more may be there."""

    line: int = Field(default=0, exclude=True)

    @field_validator("expect", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | dict) else value

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Step":
        given = [name for name in ACTIONS if name in self.model_fields_set]
        if len(given) != 1:
            raise ValueError(f"a step is exactly one of {', '.join(ACTIONS)}; this one has {given or 'none'}")
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
    steps: tuple[Step, ...] = Field(min_length=1)

    line: int = Field(default=0, exclude=True)

    @field_validator("persona", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"name": "persona", **value} if isinstance(value, dict) else value


def load_file(path: Path) -> list[Scenario]:
    """Return the scenarios of a file: one for each YAML document.

    Raises:
        ScenarioError: It cannot be read, is no YAML, or does not fit the schema.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ScenarioError(f"{path}: a scenario file may have {MAX_FILE_BYTES} bytes")
        loader = _Loader(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    scenarios = []
    try:
        while loader.check_node():
            node = loader.get_node()
            scenarios.append(_scenario(path, node, loader.construct_document(node)))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ScenarioError(f"{path}:{line}: is no YAML: {error.problem}") from error
    finally:
        loader.dispose()
    if not scenarios:
        raise ScenarioError(f"{path}: holds no scenario; see docs/scenarios.md")
    return scenarios


def _scenario(path: Path, node: Any, content: Any) -> Scenario:
    line = node.start_mark.line + 1
    if not isinstance(content, dict):
        raise ScenarioError(f"{path}:{line}: a scenario is an object with `scenario` and `steps`")
    lines = _step_lines(node)
    try:
        scenario = Scenario.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        place = problem["loc"]
        if len(place) > 1 and place[0] == "steps" and isinstance(place[1], int) and place[1] < len(lines):
            line = lines[place[1]]
        where = ".".join(map(str, place))
        raise ScenarioError(f"{path}:{line}: {where or 'scenario'}: {problem['msg']}") from error
    steps = tuple(step.model_copy(update={"line": at}) for step, at in zip(scenario.steps, lines, strict=True))
    return scenario.model_copy(update={"steps": steps, "line": line})


def _step_lines(node: Any) -> list[int]:
    for key, value in node.value:
        if key.value == "steps" and isinstance(value, yaml.SequenceNode):
            return [item.start_mark.line + 1 for item in value.value]
    return []
