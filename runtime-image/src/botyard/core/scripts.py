"""The Lua scripts of this package, run by their digest."""

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from botyard.core import acknowledgement
from botyard.core.acknowledgement import Flushing
from botyard.core.lane import LaneRedis

_INCLUDE = re.compile(r"^-- include: (.+)$", re.MULTILINE)
"""A line that names scripts, which the script that has it can call as functions of KEYS and ARGV."""


@cache
def source(name: str) -> str:
    """Return the text of `scripts/<name>.lua`, with the scripts that it includes as functions before it."""
    text = (files("botyard.core") / "scripts" / f"{name}.lua").read_text(encoding="utf-8")
    included = [other for names in _INCLUDE.findall(text) for other in names.split()]
    return "".join(f"local function {other}(KEYS, ARGV)\n{source(other)}\nend\n" for other in included) + text


@cache
def digest(name: str) -> str:
    """Return what Redis names the script by."""
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()


class Scripts:
    """Runs this package's scripts on one client.

    EVALSHA is tried first; a server that lost its script cache (restart, failover) is given the text again.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._execute: Any = redis.lane.ask if isinstance(redis, LaneRedis) else redis.execute_command

    async def run(self, name: str, *, keys: list[str], args: list[Any]) -> Any:
        """Run script `name` and return its answer as Redis gives it (bytes, integers, lists)."""
        try:
            return await self._execute("EVALSHA", digest(name), len(keys), *keys, *args)
        except NoScriptError:
            return await self._execute("EVAL", source(name), len(keys), *keys, *args)

    async def run_to_disk(self, name: str, *, keys: list[str], args: list[Any]) -> Any:
        """Run script `name` as `run` does and, where the URL of Redis asks for it, wait until its writes are on disk.

        Raises:
            NotFlushed: They are not known to be; safe to run again.
        """
        if not isinstance(self._redis, Flushing):
            return await self.run(name, keys=keys, args=args)
        return await acknowledgement.run(self._redis, source(name), digest(name), keys=keys, args=args)
