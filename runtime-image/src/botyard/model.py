"""The Bot's model, for bundle code: asked through the supervisor, which pays, keeps the answer and holds the key.

    from botyard import model

    answer = await model.ask([{"role": "user", "content": "Hi"}], role="solver")     # asynchronous code
    answer = model.ask_blocking([{"role": "user", "content": "Hi"}])                 # code in threads
    print(answer.text, answer.tool_calls, answer.usage)

Which model answers is declared in the Bot (`spec.model`). A turn that runs again after a crash gets the answers that
it was given. Clients of the OpenAI protocol need no change: `OPENAI_BASE_URL` and `OPENAI_API_KEY` lead them here.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botyard import steps

OnText = Callable[[str], None]
"""Gets pieces of text as the model writes them; the last come before the call returns."""


class ModelCallError(Exception):
    """The model was not asked, or gave no answer.

    Attributes:
        code: Why: `budget_exceeded`, `unknown_price`, `model_timeout`, …; docs/models.md lists them.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called."""

    id: str
    name: str
    arguments: str
    """As the model wrote them: JSON text if all went well."""

    def parsed(self) -> dict[str, Any]:
        """Return the arguments as a dict.

        Raises:
            ValueError: The model wrote something else.
        """
        found = json.loads(self.arguments or "{}")
        if not isinstance(found, dict):
            raise ValueError(f"the model called {self.name!r} with arguments that are no object")
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer."""

    raw: Mapping[str, Any]
    """As the OpenAI protocol writes it."""

    @property
    def message(self) -> dict[str, Any]:
        """The message, to be appended to the conversation."""
        found: dict[str, Any] = self.raw["choices"][0]["message"]
        return found

    @property
    def text(self) -> str:
        """What it says; empty where it only calls tools."""
        return self.message.get("content") or ""

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tools that it wants called."""
        calls = self.message.get("tool_calls") or ()
        return [ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls]

    @property
    def finish_reason(self) -> str:
        """Why it ends: `stop`, `tool_calls`, or `length` where the limit of the request or of a budget cut it."""
        return str(self.raw["choices"][0].get("finish_reason") or "stop")

    @property
    def usage(self) -> Mapping[str, Any]:
        """Tokens, as the provider reports them."""
        found: Mapping[str, Any] = self.raw.get("usage") or {}
        return found


async def ask(
    messages: Sequence[Mapping[str, Any]], *, role: str = "", on_text: OnText | None = None, **parameters: Any
) -> Answer:
    """Ask the Bot's model.

    Args:
        messages: The conversation, as the OpenAI protocol writes it.
        role: A role of `spec.model.roles`; empty: the Bot's model.
        on_text: Gets the text piece by piece.
        **parameters: Further members of the request, such as tools, temperature, max_tokens, response_format.

    Raises:
        ModelCallError: The call was refused or failed.
        RuntimeError: No turn runs here.
    """
    turn = steps.current()
    asking = turn.io.model("chat", {**parameters, "messages": list(messages)}, role, _texts(on_text))
    return Answer(await _in(turn.loop, asking))


def ask_blocking(
    messages: Sequence[Mapping[str, Any]], *, role: str = "", on_text: OnText | None = None, **parameters: Any
) -> Answer:
    """Do as `ask` does, for code that runs in a thread."""
    turn = steps.current()
    asking = turn.io.model("chat", {**parameters, "messages": list(messages)}, role, _texts(on_text))
    return Answer(asyncio.run_coroutine_threadsafe(asking, turn.loop).result())


async def embed(texts: Sequence[str], *, role: str = "", **parameters: Any) -> list[list[float]]:
    """Return a vector for each text; arguments and errors as for `ask`."""
    return vectors(await embeddings(texts, role=role, **parameters))


async def embeddings(texts: Sequence[str], *, role: str = "", **parameters: Any) -> dict[str, Any]:
    """Return the whole answer of an embedding model, as the OpenAI protocol writes it; see `embed`."""
    turn = steps.current()
    return await _in(turn.loop, turn.io.model("embeddings", {**parameters, "input": list(texts)}, role, None))


def embed_blocking(texts: Sequence[str], *, role: str = "", **parameters: Any) -> list[list[float]]:
    """Do as `embed` does, for code that runs in a thread."""
    turn = steps.current()
    asking = turn.io.model("embeddings", {**parameters, "input": list(texts)}, role, None)
    return vectors(asyncio.run_coroutine_threadsafe(asking, turn.loop).result())


async def _in(loop: asyncio.AbstractEventLoop, asking: Any) -> dict[str, Any]:
    if asyncio.get_running_loop() is loop:
        here: dict[str, Any] = await asking
        return here
    there: dict[str, Any] = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asking, loop))
    return there


def _texts(on_text: OnText | None) -> Callable[[dict[str, Any]], None] | None:
    if on_text is None:
        return None

    def tell(event: dict[str, Any]) -> None:
        for choice in event.get("choices") or ():
            if piece := (choice.get("delta") or {}).get("content"):
                on_text(piece)

    return tell


def vectors(answer: Mapping[str, Any]) -> list[list[float]]:
    """Return the vectors of an embedding model's answer, in the order of the texts."""
    return [item["embedding"] for item in answer["data"]]
