"""Threads and their messages as bots see them, and what a thread waits for.

Source: `FThreadOutput` and `FThreadMessageOutput` of the loop model's kit. `ft_need_*` are -1 where nothing of the
kind is awaited, else 100, the number of the only alternative that Botyard keeps.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool", "cd_instruction", "kernel"]
NEEDED = 100
NOT_NEEDED = -1
MAX_TITLE = 120
"""Characters."""
MAX_SEARCHABLE = 2000
"""Characters of a thread that searching looks at, beside its title."""


@dataclass
class FThreadMessageOutput:
    """One message of a thread."""

    ftm_ft_id: str = ""
    ftm_num: int = 0
    ftm_role: str = "user"
    ftm_content: Any = None
    """A text, a list of parts `{m_type, m_content}`, or None for an answer that only calls tools."""
    ftm_tool_calls: list[dict[str, Any]] | None = None
    """Of an assistant: `{id, type: function, function: {name, arguments}}`."""
    ftm_call_id: str = ""
    """Of a tool's result: the call that it answers."""
    ftm_usage: dict[str, Any] | None = None
    """`{prompt_tokens, completion_tokens, coins}` of an assistant's answer."""
    ftm_provenance: dict[str, Any] = field(default_factory=dict)
    ftm_alt: int = NEEDED
    ftm_prev_alt: int = NEEDED
    ftm_created_ts: float = 0.0
    ftm_author_label1: str = ""
    ftm_belongs_to_ft_id: str = ""
    ftm_app_specific: Any = None

    @property
    def ftm_id(self) -> str:
        """Name of the message among those of all threads."""
        return f"{self.ftm_ft_id}:{self.ftm_alt:03d}:{self.ftm_num:03d}"

    def __post_init__(self) -> None:
        self.ftm_ft_id = self.ftm_ft_id or self.ftm_belongs_to_ft_id
        self.ftm_belongs_to_ft_id = self.ftm_ft_id

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "FThreadMessageOutput":
        """Return the message of a record; keys of a later release are left out."""
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in record.items() if key in known})


@dataclass
class FThreadOutput:
    """A thread without its messages."""

    ft_id: str
    ft_title: str = ""
    ft_persona_id: str = ""
    ft_fexp_name: str = "default"
    ft_need_assistant: int = NOT_NEEDED
    ft_need_tool_calls: int = NOT_NEEDED
    ft_need_user: int = NEEDED
    ft_error: Any = None
    ft_coins: int = 0
    ft_budget: int = 0
    """Coins that the thread may cost; 0: the Persona's default."""
    ft_created_ts: float = 0.0
    ft_updated_ts: float = 0.0
    ft_archived_ts: float = 0.0
    ft_subchat_dest_ft_id: str = ""
    """The thread that waits for this one's result; empty if none does."""
    ft_subchat_dest_fcall_id: str = ""
    ft_app_capture: str = ""
    ft_app_searchable: str = ""
    """The beginning of what was said, for searching."""
    ft_confirmations: list[dict[str, Any]] = field(default_factory=list)
    """Calls that wait for a person: {call, tool, arguments, command, explanation}."""
    ft_app_specific: Any = None
    ft_task_id: str = ""
    owner_fuser_id: str = ""
    ws_id: str = ""

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "FThreadOutput":
        """Return the thread of a record; keys of a later release are left out."""
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in record.items() if key in known})


@dataclass
class FThreadWithMessages:
    """A thread with what was said in it."""

    persona_id: str
    thread_fields: FThreadOutput
    thread_messages: dict[str, FThreadMessageOutput] = field(default_factory=dict)
    """By `alt:num`, both of three digits."""

    def __getattr__(self, name: str) -> Any:
        """Return fields of the thread, which the document's bots ask of the values of `latest_threads` itself."""
        if name.startswith("ft_"):
            return getattr(self.thread_fields, name)
        raise AttributeError(name)


def message_key(message: FThreadMessageOutput) -> str:
    """Return the key of a message among those of its thread."""
    return f"{message.ftm_alt:03d}:{message.ftm_num:03d}"


def open_calls(messages: Sequence[FThreadMessageOutput]) -> list[dict[str, Any]]:
    """Return the calls of the newest assistant message that have no result yet."""
    answered: set[str] = set()
    for message in reversed(messages):
        if message.ftm_role == "tool":
            answered.add(message.ftm_call_id)
        elif message.ftm_role == "assistant":
            return [call for call in message.ftm_tool_calls or () if call["id"] not in answered]
    return []


def title_of(text: str) -> str:
    """Return a title from what a thread begins with: its first line, cut at a word."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if len(line) <= MAX_TITLE:
        return line
    return line[: MAX_TITLE - 1].rsplit(" ", 1)[0] + "…"
