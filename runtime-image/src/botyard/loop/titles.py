"""Titles of threads that a model makes: one cheap call for each thread, after its first answer, in a turn of its own.

Off unless the Bot's config says `titles: true` or `titles: {role: small}`. Without it, and where the model cannot say
one, a thread is called by the beginning of what it was begun with.
"""

import logging
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from botyard.loop.answers import ModelFailed, said
from botyard.loop.model_messages import as_text
from botyard.loop.thread_state import ThreadState
from botyard.loop.threads import title_of

log = logging.getLogger("botyard.loop.threads")

MAX_READ = 2000
"""Characters of a thread that its title is made from."""
MAX_OUTPUT = 200
"""Tokens: of a title, and of what a model thinks before it."""
INSTRUCTION = (
    "Give this conversation a title of two to eight words, in its own language. "
    "Answer with the title alone, without quotation marks."
)


class Titles(BaseModel):
    """`titles` of the Bot's config."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str = ""
    """Of `spec.model.roles`: who makes them; empty: the Bot's model."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Titles | None":
        """Return what a Bot's config says, or None where models make no titles.

        Raises:
            ValueError: It says something else than this.
        """
        declared = config.get("titles")
        if declared is None or declared is False:
            return None
        try:
            return cls() if declared is True else cls.model_validate(declared)
        except ValidationError as error:
            item = error.errors(include_url=False)[0]
            where = ".".join(("titles", *map(str, item["loc"])))
            raise ValueError(f"The Bot's config: {where}: {item['msg']}") from None


def is_due(state: ThreadState) -> bool:
    """Tell whether a thread is to get its title now: it was answered, and nobody gave it one. Subchats get none."""
    if state.titled_by != "rule" or state.thread.ft_subchat_dest_ft_id or state.thread.ft_error is not None:
        return False
    return any(message.ftm_role == "assistant" and as_text(message.ftm_content) for message in state.window)


def request_of(state: ThreadState) -> dict[str, Any]:
    """Return the request that asks a model for a thread's title."""
    text = state.thread.ft_app_searchable[:MAX_READ]
    return {
        "messages": [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": text}],
        "max_completion_tokens": MAX_OUTPUT,
    }


def title_in(answer: object) -> str:
    """Return the title that a model gave; empty where it gave none."""
    try:
        return title_of((said(answer).text or "").strip().strip("\"'“”„«»*# "))
    except ModelFailed as error:
        log.warning("a thread got no title: %s", error)
        return ""
