"""The Lua scripts of this package, loaded once and run by their digest."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from botyard.core import acknowledgement
from botyard.core.acknowledgement import FlushingRedis


@cache
def source(name: str) -> str:
    """Return the text of `scripts/<name>.lua`."""
    return (files("botyard.core") / "scripts" / f"{name}.lua").read_text(encoding="utf-8")


@cache
def _digest(name: str) -> str:
    # What Redis names scripts by.
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()


class Scripts:
    """Runs this package's scripts on one client.

    EVALSHA is tried first; a server that lost its script cache (restart, failover) is given the text again.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._loaded: dict[str, AsyncScript] = {}

    async def run(self, name: str, *, keys: list[str], args: list[Any]) -> Any:
        """Run script `name` and return its answer as Redis gives it (bytes, integers, lists)."""
        script = self._loaded.get(name)
        if script is None:
            script = self._loaded[name] = self._redis.register_script(source(name))
        return await script(keys=keys, args=args)

    async def run_to_disk(self, name: str, *, keys: list[str], args: list[Any]) -> Any:
        """Run script `name` as `run` does and, where the URL of Redis asks for it, wait until its writes are on disk.

        Raises:
            NotFlushed: They are not known to be; safe to run again.
        """
        if not isinstance(self._redis, FlushingRedis):
            return await self.run(name, keys=keys, args=args)
        return await acknowledgement.run(self._redis, source(name), _digest(name), keys=keys, args=args)
