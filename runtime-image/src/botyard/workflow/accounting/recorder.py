"""Where events go: to the platform while a turn runs on it, and to a storage where the process has one."""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Coroutine, Iterator
from contextvars import ContextVar
from typing import Any, Protocol

from botyard.workflow.accounting.events import AccountingEvent, path_of
from botyard.workflow.storage import open_storage

log = logging.getLogger("botyard.accounting")

STORAGE_VARIABLE = "KDCUBE_STORAGE_PATH"
MAX_EVENT = 64 * 1024
"""Bytes of one event; of a longer one the metadata is left out."""
MAX_COLLECTED = 10_000
"""Events that one turn keeps at hand."""


class Recorder(Protocol):
    """Takes events."""

    def record(self, event: dict[str, Any]) -> None:
        """Keep an event; called from code that may block."""

    async def record_async(self, event: dict[str, Any]) -> None:
        """Keep an event; returns when it is kept."""


class Writable(Protocol):
    """What a storage must be able to do at least."""

    def write(self, path: str, content: bytes) -> None:
        """Keep `content`."""


class StorageRecorder:
    """Writes each event into a file of its own."""

    def __init__(self, storage: Writable) -> None:
        self._storage = storage

    def record(self, event: dict[str, Any]) -> None:
        """Write the event."""
        self._storage.write(path_of(event), encode(event))

    async def record_async(self, event: dict[str, Any]) -> None:
        """Write the event in a thread."""
        await asyncio.to_thread(self.record, event)


def encode(event: dict[str, Any]) -> bytes:
    """Return an event as JSON; what JSON does not know is written as text, what is too long is left out."""
    body = json.dumps(event, ensure_ascii=False, default=str).encode("utf-8", "replace")
    if len(body) > MAX_EVENT:
        shorter = {**event, "metadata": {"left_out": f"{len(body)} bytes"}, "seed_system_resources": [], "context": {}}
        shorter["error_message"] = str(event.get("error_message") or "")[:1000] or None
        body = json.dumps(shorter, ensure_ascii=False, default=str).encode("utf-8", "replace")
    return body


class _Process:
    """What the whole process records to."""

    def __init__(self) -> None:
        self.enabled = True
        self.chosen: Recorder | None = None
        self._found: tuple[str, Recorder] | None = None

    @property
    def recorder(self) -> Recorder | None:
        """The one that was chosen, or the one of the environment."""
        if self.chosen is not None:
            return self.chosen
        uri = os.environ.get(STORAGE_VARIABLE, "")
        if not uri:
            return None
        if self._found is None or self._found[0] != uri:
            self._found = (uri, StorageRecorder(open_storage(uri)))
        return self._found[1]


process = _Process()
platform: ContextVar[Recorder | None] = ContextVar("botyard_accounting_platform", default=None)
"""Set while a turn runs on the platform, which keeps its events."""
_charger: ContextVar[Recorder | None] = ContextVar("botyard_accounting_charger", default=None)
_collected: ContextVar[list[AccountingEvent] | None] = ContextVar("botyard_accounting_collected", default=None)
_pending: set["asyncio.Task[None]"] = set()


@contextlib.contextmanager
def collecting() -> Iterator[list[AccountingEvent]]:
    """Also gather the events of the code inside, for a summary of them."""
    found: list[AccountingEvent] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        with contextlib.suppress(ValueError):
            _collected.reset(token)


@contextlib.contextmanager
def charging(charger: Recorder | None) -> Iterator[None]:
    """Also hand the events of the code inside to whoever charges them, be recording enabled or not."""
    token = _charger.set(charger)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            _charger.reset(token)


def collected() -> list[AccountingEvent]:
    """Return what was gathered until now (see `collecting`)."""
    return list(_collected.get() or ())


def record(event: AccountingEvent) -> None:
    """Keep an event, from code that is not asynchronous. Never raises: the call that it tells of has happened."""
    for recorder in _recorders(event):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            _try(recorder, event)
        else:
            # On the loop's own thread nothing may block; `drain` waits for it.
            _later(loop, recorder.record_async(event.to_dict()))


async def record_async(event: AccountingEvent) -> None:
    """Keep an event; returns when it is kept. Never raises."""
    for recorder in _recorders(event):
        try:
            await asyncio.shield(recorder.record_async(event.to_dict()))
        except Exception:
            _lost(event)


async def drain() -> None:
    """Wait until what synchronous code recorded on this loop is kept."""
    here = asyncio.get_running_loop()
    while mine := [task for task in _pending if task.get_loop() is here and task is not asyncio.current_task()]:
        await asyncio.wait(mine)


def _recorders(event: AccountingEvent) -> list[Recorder]:
    found = _collected.get()
    if found is not None and len(found) < MAX_COLLECTED:
        found.append(event)
    return [recorder for recorder in (_charger.get(), *_keepers()) if recorder is not None]


def _keepers() -> tuple[Recorder | None, ...]:
    if not process.enabled:
        return ()
    try:
        return platform.get(), process.recorder
    except Exception:
        log.exception("the storage of accounting cannot be used")
        return (platform.get(),)


def _try(recorder: Recorder, event: AccountingEvent) -> None:
    try:
        recorder.record(event.to_dict())
    except Exception:
        _lost(event)


def _later(loop: asyncio.AbstractEventLoop, recording: Coroutine[Any, Any, None]) -> None:
    task = loop.create_task(recording)
    _pending.add(task)
    task.add_done_callback(_done)


def _done(task: "asyncio.Task[None]") -> None:
    _pending.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a use of a service could not be recorded", exc_info=error)


def _lost(event: AccountingEvent) -> None:
    # With its content: the log is where it can still be found.
    log.exception("a use of a service could not be recorded: %s", encode(event.to_dict()).decode())
