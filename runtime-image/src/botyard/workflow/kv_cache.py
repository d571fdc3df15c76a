"""Values that may be forgotten: in Redis where there is one, else in this process."""

import json
import time
from collections import OrderedDict
from typing import Any

MAX_ENTRIES = 10_000
"""Kept in a process; the oldest are forgotten."""


class KVCache:
    """A cache by key, of what JSON can express."""

    def __init__(self, redis: Any = None, prefix: str = "kdcube:kv") -> None:
        self._redis = redis
        self._prefix = prefix
        self._entries: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def get(self, key: str, default: Any = None) -> Any:
        """Return a value that is still known, or `default`."""
        if self._redis is not None:
            text = await self._redis.get(f"{self._prefix}:{key}")
            return default if text is None else json.loads(text)
        until, text = self._entries.get(key, (0.0, ""))
        return json.loads(text) if until > time.monotonic() else default

    async def set(self, key: str, value: Any, ttl: float | None = None, **more: Any) -> None:
        """Keep a value.

        Args:
            key: Its name.
            value: As JSON can express it.
            ttl: Seconds; None: until it is pushed out. `ttl_seconds` and `ex` are taken for it.
            **more: See `ttl`.
        """
        ttl = ttl if ttl is not None else more.get("ttl_seconds", more.get("ex"))
        text = json.dumps(value)
        if self._redis is not None:
            await self._redis.set(f"{self._prefix}:{key}", text, px=int(ttl * 1000) if ttl else None)
            return
        self._entries.pop(key, None)
        self._entries[key] = (time.monotonic() + ttl if ttl else float("inf"), text)
        while len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    async def delete(self, key: str) -> None:
        """Forget a value."""
        if self._redis is not None:
            await self._redis.delete(f"{self._prefix}:{key}")
        self._entries.pop(key, None)
