"""The way from a workflow to its clients."""

import asyncio
import contextvars
import json
import logging
import os
import time
from typing import Any, Protocol

from redis.asyncio import Redis

from botyard.workflow.envelopes import Envelope

log = logging.getLogger("botyard.workflow")

IDENTITY = "kdcube.relay.chatbot"
"""First part of the names of Redis channels, unless the environment says otherwise (CB_RELAY_IDENTITY)."""


class Relay(Protocol):
    """Carries envelopes away."""

    async def emit(self, *, event: str, data: Envelope, **kw: Any) -> None:
        """Send an envelope.

        Args:
            event: Name under which channels carry it, such as `chat_delta`.
            data: The envelope.
            **kw: `session_id`, also as `room`; `target_sid`, the one connection that it is for, or None;
                `tenant` and `project`; `broadcast`.
        """


class NullRelay:
    """Sends nowhere: no host runs the workflow."""

    async def emit(self, *, event: str, data: Envelope, **kw: Any) -> None:
        """Drop it."""


class RedisRelay:
    """Publishes envelopes on the channel of their session."""

    def __init__(self, redis: Redis, identity: str = IDENTITY) -> None:
        self._redis = redis
        self._identity = identity
        self._lock = asyncio.Lock()

    def channel(self, tenant: str | None, project: str | None, session: str | None) -> str:
        """Return the name of a session's channel."""
        return f"{self._identity}.{tenant}:{project}:chat.events.{session}"

    async def emit(self, *, event: str, data: Envelope, **kw: Any) -> None:
        """Publish it; what is sent first arrives first."""
        session = kw.get("session_id") or kw.get("room")
        service = data.get("service") or {}
        message = {
            "target_sid": kw.get("target_sid"),
            "session_id": session,
            "event": event,
            "timestamp": time.time(),
            "data": data,
        }
        name = self.channel(
            kw.get("tenant") or service.get("tenant"), kw.get("project") or service.get("project"), session
        )
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        async with self._lock:
            await self._redis.publish(name, text)


_host_relay: contextvars.ContextVar[Relay | None] = contextvars.ContextVar("botyard_workflow_relay", default=None)


def use_relay(relay: Relay) -> "contextvars.Token[Relay | None]":
    """Have workflows of this context send through `relay`; for hosts of turns."""
    return _host_relay.set(relay)


def build_relay_from_env() -> Relay:
    """Return the relay of the turn that runs here, or one to the Redis that the environment names.

    REDIS_URL names it, or REDIS_HOST with REDIS_PORT, REDIS_PASSWORD and REDIS_DB; CB_RELAY_IDENTITY the first part of
    its channels. Where nothing names one, events go nowhere.
    """
    if (relay := _host_relay.get()) is not None:
        return relay
    url = redis_url_from_env()
    if not url:
        log.warning("neither a host nor REDIS_URL says where events go; they are dropped")
        return NullRelay()
    loop = _running_loop()
    made = _relays.get((loop, url))
    if made is None:
        if loop is None or len(_relays) >= _MOST_RELAYS:
            _relays.clear()
        made = RedisRelay(Redis.from_url(url), os.environ.get("CB_RELAY_IDENTITY") or IDENTITY)
        if loop is not None:
            _relays[(loop, url)] = made
    return made


def redis_url_from_env() -> str:
    """Return the Redis that the environment names, or an empty text."""
    if url := os.environ.get("REDIS_URL"):
        return url
    host = os.environ.get("REDIS_HOST")
    if not host:
        return ""
    password = os.environ.get("REDIS_PASSWORD")
    credentials = f":{password}@" if password else ""
    return f"redis://{credentials}{host}:{os.environ.get('REDIS_PORT') or 6379}/{os.environ.get('REDIS_DB') or 0}"


_MOST_RELAYS = 16
_relays: dict[tuple[asyncio.AbstractEventLoop | None, str], RedisRelay] = {}
"""One connection pool for each event loop, not one for each turn."""


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
