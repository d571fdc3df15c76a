"""Counts which stored conversations a revision cannot go on with, one Bot after the other, beside the reconciles.

A reconcile asks and gets what is known; when the count is done its key is marked dirty and it asks again. Nothing is
stored: a process that takes over counts anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from botyard.compatibility import Census, CensusFailed, take_census_apart
from botyard.contract.machine import MachineShape
from botyard.core.address import BotAddress
from botyard_operator.reconcile.base import Clock, Enqueue, Key

logger = logging.getLogger(__name__)

FRESH_SECONDS = 30.0
"""A count that is older is made again: conversations end."""

Count = Callable[[BotAddress, MachineShape], Awaitable[Census]]
"""Counts; raises CensusFailed."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be counted."""

    revision: str
    """Digest of the revision that shall go on."""
    shape: MachineShape
    asked: str = ""
    """What else was asked: the policy and the annotation botyard.dev/requestedAt; another one counts anew at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was counted."""

    question: Question
    at: float
    """On the monotonic clock."""
    census: Census | None = None
    failure: CensusFailed | None = None


class Sessions:
    """What is known of the stored conversations of Bots that a new revision waits for."""

    def __init__(self, redis_url: str | None, clock: Clock, *, count: Count | None = None) -> None:
        """Prepare; `run` counts.

        Args:
            redis_url: Where the sessions are; None: nothing can be counted.
            clock: For the age of counts.
            count: How to count; a process of its own when left out.
        """
        self._clock = clock
        self._answers: dict[Key, Answer] = {}
        self._asked: dict[Key, Question] = {}
        self._news = asyncio.Event()
        self._count = count
        if count is None and redis_url is not None:
            url = redis_url
            self._count = lambda bot, shape: take_census_apart(url, bot, shape)

    @property
    def known(self) -> bool:
        """Whether sessions can be counted at all."""
        return self._count is not None

    def ask(self, bot: Key, question: Question) -> Answer | None:
        """Return the newest count that answers the question, and have it made (again) where it is missing or old."""
        answer = self._answers.get(bot)
        if answer is not None and answer.question != question:
            answer = None
        if answer is None or self._clock.monotonic() - answer.at >= FRESH_SECONDS:
            self._asked[bot] = question
            self._news.set()
        return answer

    def forget(self, bot: Key) -> None:
        """Drop what is known of a Bot that waits no longer."""
        self._answers.pop(bot, None)
        self._asked.pop(bot, None)

    async def run(self, enqueue: Enqueue) -> None:
        """Count what is asked until cancelled.

        Args:
            enqueue: Marks a Bot dirty whose count is done.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            while self._asked:
                enqueue(await self.count_next())

    async def count_next(self) -> Key:
        """Answer the oldest question; return whose it was."""
        bot = next(iter(self._asked))
        question = self._asked[bot]
        answer = await self._answer(bot, question)
        if self._asked.get(bot) == question:
            del self._asked[bot]
            self._answers[bot] = answer
        return bot

    async def _answer(self, bot: Key, question: Question) -> Answer:
        assert self._count is not None
        try:
            census = await self._count(BotAddress(bot.namespace, bot.name), question.shape)
        except (CensusFailed, OSError) as error:
            failure = error if isinstance(error, CensusFailed) else CensusFailed(str(error), passing=True)
            where = {"kind": bot.kind, "namespace": bot.namespace, "object": bot.name}
            logger.warning("stored conversations were not counted: %s", failure, extra=where)
            return Answer(question, self._clock.monotonic(), failure=failure)
        return Answer(question, self._clock.monotonic(), census)
