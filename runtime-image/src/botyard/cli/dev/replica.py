"""One replica of the bot that starts over whenever its code changes."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from redis.asyncio import Redis

from botyard.cli.dev import changes
from botyard.cli.dev.inputs import Mounts
from botyard.runtime.configuration import Configuration
from botyard.runtime.errors import LoadFailed
from botyard.runtime.supervisor import Supervisor
from botyard.tracing import NO_TRACES, Tracer

log = logging.getLogger("botyard.dev")

DRAIN_SECONDS = 10.0
"""What running turns get to end before new code takes over; they are run again after it."""
LAST_DRAIN_SECONDS = 2.0
"""What they get at the end of everything, where no other replica could run them again."""

Report = Callable[[bool, str], None]
"""Told whether the bot answers, and if not, why."""


class Replica:
    """Runs supervisors one after the other, each with the code as it is when it starts.

    Args:
        redis: The event store.
        mounts: Configuration, as in a pod.
        bundle: Folder of the code.
        socket: Where worker host and workers connect.
        report: Gets the state of the bot.
        last_drain: Seconds that running turns get when it ends.
    """

    def __init__(
        self,
        redis: Redis,
        mounts: Mounts,
        *,
        bundle: Path,
        socket: Path,
        report: Report,
        last_drain: float = DRAIN_SECONDS,
        tracer: Tracer = NO_TRACES,
    ) -> None:
        self._redis = redis
        self._mounts = mounts
        self._bundle = bundle
        self._socket = socket
        self._report = report
        self._last_drain = last_drain
        self._tracer = tracer

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        stopping = asyncio.create_task(stop.wait())
        seen = changes.snapshot(self._bundle)
        try:
            while not stop.is_set():
                changing = asyncio.create_task(changes.changed(self._bundle, seen))
                await self._generation(stopping, changing)
                if not changing.done():
                    changing.cancel()
                    await asyncio.gather(changing, return_exceptions=True)
                    return
                paths, seen = changing.result()
                changes.forget_bytecode(paths)
                named = ", ".join(str(path.relative_to(self._bundle)) for path in paths[:3])
                log.info("%s%s changed: loading the bot again", named, " and more" if len(paths) > 3 else "")
        finally:
            stopping.cancel()

    async def _generation(self, ending: "asyncio.Task[Literal[True]]", changing: "asyncio.Task[Any]") -> None:
        """Serve with the code as it is now until it changed or everything ends."""
        ends = (ending, changing)
        configuration = Configuration(
            config=self._mounts.config,
            personas=self._mounts.personas,
            credentials=self._mounts.credentials,
            persona_secrets=self._mounts.persona_secrets,
        )
        configuration.load()
        supervisor = Supervisor(
            self._redis,
            configuration,
            replica=f"dev-{os.getpid()}",
            socket_path=self._socket,
            bundle=self._bundle,
            health_host="127.0.0.1",
            tracer=self._tracer,
        )
        stop = asyncio.Event()
        running = asyncio.create_task(supervisor.run(stop, drain_timeout=DRAIN_SECONDS))
        loading = asyncio.create_task(self._load(supervisor))
        try:
            await asyncio.wait({running, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if running.done() and isinstance(running.exception(), LoadFailed):
                # The reason has been reported; nothing can be done before the code changes.
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            self._report(False, "the bot is loaded again; it answers in a moment")
        finally:
            stop.set()
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)
            if ending.done():
                await asyncio.wait({running}, timeout=self._last_drain)
                running.cancel()
            with contextlib.suppress(LoadFailed, asyncio.CancelledError):
                await running

    async def _load(self, supervisor: Supervisor) -> None:
        try:
            await supervisor.pool.ready()
        except LoadFailed as error:
            log.error("the bot cannot be loaded: %s", error)
            self._report(False, f"the bot cannot be loaded: {error}")
        else:
            self._report(True, "")
