"""Counts the stored sessions of a bot that a revision cannot go on with."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from redis.asyncio import Redis

from botyard.compatibility.rules import Judge, Misfit, MisfitKind
from botyard.contract.machine import MachineShape
from botyard.core import codec, keys
from botyard.core.address import BotAddress

PAGE = 200
"""Sessions that are read and judged at once."""
MAX_GROUPS = 50
"""Different causes in one answer; sessions of further causes are counted all the same."""
MAX_EXAMPLES = 5


@dataclass(slots=True)
class Group:
    """Sessions that do not fit for one cause."""

    kind: MisfitKind
    subject: str
    message: str
    """Of the first session that was found."""
    sessions: int = 0
    examples: list[str] = field(default_factory=list)
    """Some of their conversations."""


@dataclass(slots=True)
class Census:
    """What was found."""

    sessions: int = 0
    incompatible: int = 0
    groups: list[Group] = field(default_factory=list)
    """The causes, most sessions first. A session may have several."""

    def summary(self) -> str:
        """Return one line for a condition."""
        if not self.incompatible:
            return f"all {self.sessions} stored sessions can go on"
        causes = "; ".join(f"{group.kind} {group.subject} ({group.sessions})" for group in self.groups[:3])
        return f"{self.incompatible} of {self.sessions} stored sessions cannot go on: {causes}"


async def take_census(redis: Redis, bot: BotAddress, shape: MachineShape) -> Census:
    """Return which stored sessions of `bot` do not fit `shape`.

    Reads every stored state once, page by page, and judges in a thread, so that nobody waits for it. Sessions that
    begin or end meanwhile are seen or not.

    Args:
        redis: Where the bot's states are; one server or a cluster.
        bot: Whose sessions.
        shape: Of the revision that shall go on with them.
    """
    tally = _Tally(Judge(shape))
    page: list[bytes] = []
    async for name in redis.scan_iter(match=keys.states_of(bot), count=1000):
        page.append(name)
        if len(page) == PAGE:
            await _judge(redis, tally, page)
            page = []
    if page:
        await _judge(redis, tally, page)
    return tally.census()


async def _judge(redis: Redis, tally: "_Tally", names: Sequence[bytes]) -> None:
    async with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.get(name)
        blobs = await pipe.execute()
    await asyncio.to_thread(tally.add, list(zip(names, blobs, strict=True)))


class _Tally:
    """Counts by cause."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._groups: dict[tuple[str, str], Group] = {}
        self._seen: set[bytes] = set()
        self._sessions = self._incompatible = 0

    def add(self, found: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Count sessions; a scan may give a key twice."""
        for name, blob in found:
            if blob is None or name in self._seen:
                continue
            self._seen.add(name)
            self._sessions += 1
            misfits = list(self._misfits(blob))
            self._incompatible += bool(misfits)
            for cause in dict.fromkeys((misfit.kind, misfit.subject) for misfit in misfits):
                misfit = next(each for each in misfits if (each.kind, each.subject) == cause)
                self._count(misfit, keys.conversation_of(name))

    def _misfits(self, blob: bytes) -> Iterable[Misfit]:
        try:
            session = codec.decode(blob)
        except ValueError as error:
            return [Misfit("NotASession", "session", str(error))]
        return self._judge.misfits(session)

    def _count(self, misfit: Misfit, conversation: str) -> None:
        cause = (misfit.kind, misfit.subject)
        group = self._groups.get(cause)
        if group is None:
            if len(self._groups) == MAX_GROUPS:
                return
            group = self._groups[cause] = Group(misfit.kind, misfit.subject, misfit.message)
        group.sessions += 1
        if len(group.examples) < MAX_EXAMPLES:
            group.examples.append(conversation)

    def census(self) -> Census:
        """Return the result."""
        groups = sorted(self._groups.values(), key=lambda group: (-group.sessions, group.kind, group.subject))
        return Census(self._sessions, self._incompatible, groups)
