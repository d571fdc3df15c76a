"""How the Personas of a bot fare, told by its replicas and read by the operator.

Each replica writes what changed of the Personas that live in it, and marks the bot, so that whoever reads looks only
where something changed. Nothing that changes nothing is written.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.reply import text

MAX_MESSAGE = 500
"""Characters of why a loop failed."""
MAX_COLUMNS = 16
MAX_TOOLS = 32
MAX_TOOL = 100
"""Characters of a tool's name."""


@dataclass(frozen=True, slots=True)
class PersonaReport:
    """One Persona as its replica knows it.

    Attributes:
        replica: Where its loop lives.
        state: `running`, `failing` (it pauses after an end that nobody asked for) or `ended`; empty: not told yet.
        failures: Ends in a row that nobody asked for; 0 once it has run steadily again.
        message: The last one's exception.
        tasks: How many tasks are in each column of its board.
        unhandled: Tools that its loop offers to the model and has no handler for.
    """

    replica: str = ""
    state: str = ""
    failures: int = 0
    message: str = ""
    tasks: Mapping[str, int] = field(default_factory=dict)
    unhandled: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return it as it is kept."""
        return json.dumps(
            {
                "replica": self.replica,
                "state": self.state,
                "failures": self.failures,
                "message": self.message[:MAX_MESSAGE],
                "tasks": dict(list(self.tasks.items())[:MAX_COLUMNS]),
                "unhandled": [name[:MAX_TOOL] for name in self.unhandled[:MAX_TOOLS]],
            },
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, content: str) -> "PersonaReport":
        """Return what is kept; what cannot be read says nothing."""
        try:
            kept: dict[str, Any] = json.loads(content)
            tasks = {str(column): max(0, int(count)) for column, count in dict(kept.get("tasks") or {}).items()}
            return cls(
                str(kept.get("replica") or ""),
                str(kept.get("state") or ""),
                int(kept.get("failures") or 0),
                str(kept.get("message") or "")[:MAX_MESSAGE],
                tasks,
                tuple(str(name)[:MAX_TOOL] for name in list(kept.get("unhandled") or ())[:MAX_TOOLS]),
            )
        except (ValueError, TypeError, AttributeError):
            return cls()


class PersonaReports:
    """The reports of all bots on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def write(self, bot: BotAddress, reports: Mapping[str, PersonaReport]) -> None:
        """Tell of some Personas of a bot."""
        if not reports:
            return
        seconds, micros = await self._redis.time()
        content: Any = {name: report.to_json() for name, report in reports.items()}
        await self._redis.hset(keys.persona_reports(bot), mapping=content)
        await self._redis.zadd(keys.PERSONA_CHANGES, {str(bot): int(seconds) * 1_000_000 + int(micros)})

    async def keep_only(self, bot: BotAddress, personas: Collection[str]) -> None:
        """Forget Personas that a bot no longer has."""
        found: Any = await self._redis.hkeys(keys.persona_reports(bot))
        if gone := [text(name) for name in found if text(name) not in personas]:
            await self._redis.hdel(keys.persona_reports(bot), *gone)

    async def changed(self, since_us: int) -> list[tuple[str, str, int]]:
        """Return namespace, name and time (microseconds) of the bots of whose Personas something was told since one."""
        rows: Any = await self._redis.zrangebyscore(keys.PERSONA_CHANGES, since_us, "+inf", withscores=True)
        return [(*_split(text(member)), int(score)) for member, score in rows]

    async def read(self, bot: BotAddress) -> dict[str, PersonaReport]:
        """Return what is known of a bot's Personas, by name."""
        found: Any = await self._redis.hgetall(keys.persona_reports(bot))
        return {text(name): PersonaReport.from_json(text(content)) for name, content in found.items()}


def _split(member: str) -> tuple[str, str]:
    namespace, _, name = member.partition("/")
    return namespace, name
