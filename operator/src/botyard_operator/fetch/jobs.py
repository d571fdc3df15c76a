"""Fetches in the background: bounded, one at a time for each repository, with a pause for hosts in trouble.

A reconcile only starts a job and looks at outcomes, so that a slow remote never occupies a worker of the queue.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakValueDictionary

from botyard_operator.artifacts.store import ArtifactStore, StorageError
from botyard_operator.fetch.archive import FORMAT
from botyard_operator.fetch.errors import CONTENT, HOST_TROUBLE, FetchError, Reason
from botyard_operator.fetch.request import ARCHIVE_NAME, FetchRequest
from botyard_operator.fetch.runner import Fetcher
from botyard_operator.fetch.url import parse_git_url

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 300.0
_MAX_REMEMBERED = 10_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A source that is in storage as an artifact."""

    commit: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last fetch for a key ended."""

    tag: str
    """What the fetch was started for, as the caller named it."""
    result: Fetched | FetchError
    ended: float
    """When, on the monotonic clock."""


@dataclass(slots=True)
class _Running:
    tag: str
    started: float
    task: asyncio.Task[None]


@dataclass(slots=True)
class _Host:
    failures: int = 0
    not_before: float = 0.0


def backoff(failures: int, *, longest: float = _LONGEST_PAUSE) -> float:
    """Return the seconds to wait after this many failures in a row: growing, capped, spread."""
    pause = min(longest, _FIRST_PAUSE * 2.0 ** min(max(failures, 1) - 1, 32))
    return pause * random.uniform(0.75, 1.0)  # noqa: S311 - spreading load, not secrecy


def _remember(memory: dict[str, T], key: str, value: T) -> None:
    """Keep a value; what was noted longest ago is forgotten, so that names from specs cannot fill the memory."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > _MAX_REMEMBERED:
        del memory[next(iter(memory))]


class FetchJobs:
    """Runs fetches and remembers how they ended."""

    def __init__(
        self,
        fetcher: Fetcher,
        store: ArtifactStore,
        *,
        concurrency: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare.

        Args:
            fetcher: runs one fetch.
            store: an opened store.
            concurrency: child processes at once.
            monotonic: the clock.
        """
        self._fetcher = fetcher
        self._store = store
        self._slots = asyncio.Semaphore(concurrency)
        self._monotonic = monotonic
        self._repositories: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._hosts: dict[str, _Host] = {}
        self._running: dict[Hashable, _Running] = {}
        self._outcomes: dict[Hashable, Outcome] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused: dict[str, FetchError] = {}

    def start(
        self, key: Hashable, tag: str, request: FetchRequest, done: Callable[[], None], *, force: bool = False
    ) -> None:
        """Start a fetch for `key`, instead of one for another tag that may be running.

        Args:
            key: whose source it is.
            tag: names what is fetched and why; found again in the outcome.
            request: what to fetch; `known_commit` is filled in here.
            done: called at the end, whatever it is.
            force: look at the content again even where the commit was refused before.
        """
        running = self._running.get(key)
        if running is not None:
            if running.tag == tag:
                return
            running.task.cancel()
        task = asyncio.create_task(self._run(key, tag, request, done, force=force), name=f"fetch {key}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._running[key] = _Running(tag, self._monotonic(), task)

    def running_for(self, key: Hashable, tag: str) -> float | None:
        """Return for how many seconds a fetch with this tag has been running or waiting, or None."""
        running = self._running.get(key)
        return self._monotonic() - running.started if running is not None and running.tag == tag else None

    def outcome(self, key: Hashable) -> Outcome | None:
        """Return how the last fetch for `key` ended in this process."""
        return self._outcomes.get(key)

    def pause_of(self, host: str) -> float:
        """Return the seconds for which nothing should be fetched from `host`; 0 when it is well."""
        state = self._hosts.get(host)
        return max(0.0, state.not_before - self._monotonic()) if state else 0.0

    def digests(self) -> set[str]:
        """Return the digests that outcomes speak of."""
        return {o.result.digest for o in self._outcomes.values() if isinstance(o.result, Fetched)}

    def forget(self, key: Hashable) -> None:
        """Drop everything about a key that is gone."""
        self._outcomes.pop(key, None)
        running = self._running.pop(key, None)
        if running is not None:
            running.task.cancel()

    async def close(self) -> None:
        """Cancel all fetches and wait until their processes are gone."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self, key: Hashable, tag: str, request: FetchRequest, done: Callable[[], None], *, force: bool
    ) -> None:
        result: Fetched | FetchError
        try:
            result = await self._fetch(request, force=force)
        except FetchError as error:
            result = error
        except Exception:
            # A defect here must neither end the key's polling nor be silent.
            logger.exception("fetch for %s failed unexpectedly", key)
            result = FetchError(Reason.FETCH_FAILED, "the fetch failed inside the operator; see its log.")
        running = self._running.get(key)
        if running is not None and running.task is asyncio.current_task():
            del self._running[key]
            self._outcomes[key] = Outcome(tag, result, self._monotonic())
            done()

    async def _fetch(self, request: FetchRequest, *, force: bool) -> Fetched:
        url = parse_git_url(request.url, protocols=request.protocols)
        lock = self._repositories.setdefault(url.clean, asyncio.Lock())
        async with lock, self._slots:
            try:
                fetched = await self._fetch_now(request, force=force)
            except FetchError as error:
                self._note(url.host, error)
                raise
            self._note(url.host, None)
            return fetched

    async def _fetch_now(self, request: FetchRequest, *, force: bool) -> Fetched:
        source = request.source_key(FORMAT)
        known = await asyncio.to_thread(self._store.known, source)
        refused = None if force else self._refused.get(source)
        known_commit = refused.commit if refused else known[0] if known else ""
        asked = request.model_copy(update={"known_commit": known_commit})
        try:
            with self._store.work_dir() as work_dir:
                result = await self._fetcher.fetch(asked, work_dir)
                if result.outcome == "unchanged":
                    if refused:
                        raise refused
                    assert known is not None
                    return Fetched(known[0], known[1], self._store.size(known[1]))
                archive = work_dir / ARCHIVE_NAME
                size = await asyncio.to_thread(self._store.adopt, archive, result.digest)
                await asyncio.to_thread(self._store.remember, source, result.commit, result.digest)
        except StorageError as error:
            reason = Reason.DISK_FULL if error.full else Reason.STORAGE_FAILED
            raise FetchError(reason, str(error)) from error
        except FetchError as error:
            if error.reason in CONTENT and error.commit:
                _remember(self._refused, source, error)
            raise
        self._refused.pop(source, None)
        return Fetched(result.commit, result.digest, size)

    def _note(self, host: str, error: FetchError | None) -> None:
        if error is None or error.reason not in HOST_TROUBLE:
            self._hosts.pop(host, None)
            return
        state = self._hosts.get(host) or _Host()
        _remember(self._hosts, host, state)
        # Several fetches that were under way together are one failure of the host, not several.
        if self._monotonic() >= state.not_before:
            state.failures += 1
            state.not_before = self._monotonic() + backoff(state.failures)
