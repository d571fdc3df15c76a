"""The Lua scripts of this package, loaded once and run by their digest."""

from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript


@cache
def source(name: str) -> str:
    """Return the text of `scripts/<name>.lua`."""
    return (files("botyard.core") / "scripts" / f"{name}.lua").read_text(encoding="utf-8")


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
