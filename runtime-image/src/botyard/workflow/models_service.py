"""The Bot's models for workflows: by role, through the supervisor (see `botyard.model`)."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from botyard import model
from botyard.model import Answer, ModelCallError
from botyard.workflow.accounting.tracking import track
from botyard.workflow.configuration import Config

T = TypeVar("T")
OnDelta = Callable[[str], Awaitable[Any] | None]
Messages = Sequence[Mapping[str, Any]] | str

NO_MODEL = "no_model"
"""Code of the refusal of a role that the Bot does not declare."""
_FORGET_AFTER = 30.0
"""Seconds in which a role that the Bot does not declare is not asked for again: a Bot's models may change."""


def _provider(service: "ModelsService", messages: Any, role: str, *_: Any) -> str:
    return str(service.describe(role).get("provider") or "botyard")


def _model(service: "ModelsService", messages: Any, role: str, *_: Any) -> str:
    return str(service.describe(role).get("model") or "")


def _embedding_model(service: "ModelsService", *_: Any) -> str:
    return str(getattr(service.config, "embedding_model", None) or "")


def _embedding_usage(answer: Mapping[str, Any], *_: Any) -> dict[str, Any]:
    told = answer.get("usage") or {}
    # Not as tokens in all: these the platform has charged, and an answer without an id does not tell it so.
    tokens = told.get("prompt_tokens") or told.get("total_tokens") or 0
    return {"embedding_tokens": tokens, "embedding_dimensions": len(model.vectors(answer)[0])}


def _usage(answer: Mapping[str, Any], *_: Any) -> Any:
    return answer.get("usage")


class ModelsService:
    """Asks models by role.

    What the Bot declares for a role (`spec.model.roles`) answers, or what it declares for the role above it (`a.b` for
    `a.b.c`). For a role that the Bot does not know, the model that the bundle's configuration names is asked for; where
    the Bot does not declare that one either, the Bot's own answers: who runs the bot decides which model is paid.
    """

    def __init__(self, config: Any = None) -> None:
        self.config = config if config is not None else Config()
        self._unknown: dict[str, float] = {}

    async def ask(
        self, messages: Messages, *, role: str = "", on_delta: OnDelta | None = None, **parameters: Any
    ) -> Answer:
        """Ask the model of a role and return its whole answer.

        Args:
            messages: The conversation, as the OpenAI protocol writes it, or what the user says.
            role: Such as `solver` or `tool.generator.default`; empty: the Bot's model.
            on_delta: Gets the text piece by piece; a coroutine function is awaited for each, in order.
            **parameters: Of the request: tools, temperature, max_tokens, response_format and so on.

        Raises:
            botyard.model.ModelCallError: The call was refused or failed.
        """
        if on_delta is None:
            return await self._ask(messages, role, None, parameters)
        pieces: asyncio.Queue[str | None] = asyncio.Queue()

        async def ask() -> Answer:
            try:
                return await self._ask(messages, role, pieces.put_nowait, parameters)
            finally:
                pieces.put_nowait(None)

        async with asyncio.TaskGroup() as group:
            asking = group.create_task(_plainly(ask()))
            while (piece := await pieces.get()) is not None:
                handed = on_delta(piece)
                if inspect.isawaitable(handed):
                    await handed
        answer, error = asking.result()
        if error is not None:
            raise error
        assert answer is not None
        return answer

    async def stream(self, messages: Messages, *, role: str = "", **parameters: Any) -> AsyncIterator[str]:
        """Yield the text of an answer piece by piece; arguments and errors as for `ask`."""
        pieces: asyncio.Queue[str | None] = asyncio.Queue()

        async def ask() -> None:
            try:
                await self._ask(messages, role, pieces.put_nowait, parameters)
            finally:
                pieces.put_nowait(None)

        asking = asyncio.create_task(ask())
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            await asking
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def embed(self, texts: Sequence[str] | str, *, role: str = "", **parameters: Any) -> list[list[float]]:
        """Return a vector for each text.

        Args:
            texts: What to embed.
            role: As for `ask`.
            **parameters: Of the request, such as `dimensions`.

        Raises:
            botyard.model.ModelCallError: The call was refused or failed.
        """
        given = [texts] if isinstance(texts, str) else list(texts)
        return model.vectors(await self._embed(given, role, parameters)) if given else []

    @track("embedding", _provider, _embedding_model, _embedding_usage, through_platform=True)
    async def _embed(self, given: list[str], role: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        embedding = getattr(self.config, "embedding_model", None)

        async def ask(declared: str, named: str) -> dict[str, Any]:
            more = {"model": embedding or named, **parameters} if embedding or named else parameters
            return await model.embeddings(given, role=declared, **more)

        return await self._by_role(role, ask)

    def describe(self, role: str = "") -> dict[str, Any]:
        """Return {provider, model} that the configuration names for a role."""
        found: dict[str, Any] = self.config.ensure_role(role)
        return dict(found)

    @track("llm", _provider, _model, _usage, through_platform=True)
    async def _told(
        self, messages: Messages, role: str, on_text: Callable[[str], None] | None, parameters: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return (await self._answer(messages, role, on_text, parameters)).raw

    async def _ask(
        self, messages: Messages, role: str, on_text: Callable[[str], None] | None, parameters: Mapping[str, Any]
    ) -> Answer:
        return Answer(await self._told(messages, role, on_text, parameters))

    async def _answer(
        self, messages: Messages, role: str, on_text: Callable[[str], None] | None, parameters: Mapping[str, Any]
    ) -> Answer:
        asked = [{"role": "user", "content": messages}] if isinstance(messages, str) else list(messages)

        async def ask(declared: str, named: str) -> Answer:
            more = {"model": named, **parameters} if named else dict(parameters)
            return await model.ask(asked, role=declared, on_text=on_text, **more)

        return await self._by_role(role, ask)

    async def _by_role(self, role: str, ask: Callable[[str, str], Awaitable[T]]) -> T:
        """Call `ask(role of the Bot, model's name)` with the nearest role that the Bot declares, or with a name."""
        name = role
        while name:
            if self._unknown.get(name, 0.0) < time.monotonic():
                try:
                    return await ask(name, "")
                except ModelCallError as error:
                    if error.code != NO_MODEL:
                        raise
                    self._unknown[name] = time.monotonic() + _FORGET_AFTER
            name = name.rpartition(".")[0]
        return await ask("", str(self.describe(role).get("model") or "") if role else "")


async def _plainly(asking: Awaitable[Answer]) -> tuple[Answer | None, Exception | None]:
    # So that the caller gets the error itself, and not in a group.
    try:
        return await asking, None
    except Exception as error:
        return None, error
