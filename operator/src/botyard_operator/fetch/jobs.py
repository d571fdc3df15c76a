"""Fetches in the background: bounded, one at a time for each repository, with a pause for hosts in trouble.

A reconcile only starts a job and looks at outcomes, so that a slow remote never occupies a worker of the queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar
from weakref import WeakValueDictionary

from botyard_operator.artifacts.errors import StorageError
from botyard_operator.artifacts.store import ArtifactStore
from botyard_operator.fetch.archive import FORMAT
from botyard_operator.fetch.errors import CONTENT, HOST_TROUBLE, FetchError, Reason
from botyard_operator.fetch.listing import RefLister
from botyard_operator.fetch.polls import Polls
from botyard_operator.fetch.request import ARCHIVE_NAME, FetchRequest
from botyard_operator.fetch.runner import Fetcher
from botyard_operator.fetch.url import source_url

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
    looked: float
    """When the remote was asked for it, on the monotonic clock."""
    name: str = ""
    """The branch or tag that the ref meant."""
    verified: str = ""
    """Who signed, when that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is in storage of a source."""

    commit: str
    digest: str
    identity: str
    name: str
    verified: str
    etag: str

    def fetched(self, size: int, looked: float, name: str) -> Fetched:
        return Fetched(self.commit, self.digest, size, looked, name or self.name, self.verified)


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
    error: FetchError
    failures: int = 0
    not_before: float = 0.0


class FetchObserver(Protocol):
    """Told about every look and fetch, for metrics."""

    def fetched(self, work: Literal["poll", "fetch"], outcome: str, seconds: float) -> None:
        """A look (`poll`) or a whole `fetch` ended.

        Args:
            work: which of the two.
            outcome: `unchanged`, `changed`, `fetched` or a failure's reason.
            seconds: how long it took, without waiting for its turn.
        """


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
        poll_concurrency: int = 8,
        monotonic: Callable[[], float] = time.monotonic,
        observer: FetchObserver | None = None,
    ) -> None:
        """Prepare.

        Args:
            fetcher: runs one fetch.
            store: an opened store.
            concurrency: fetches at once.
            poll_concurrency: looks at remotes at once; they are cheap, and a slow fetch must not hold them up.
            monotonic: the clock.
            observer: told about every look and fetch.
        """
        self._fetcher = fetcher
        self._store = store
        self._slots = asyncio.Semaphore(concurrency)
        self._monotonic = monotonic
        self._observer = observer
        self._polls = Polls(RefLister(fetcher.settings), store, concurrency=poll_concurrency, monotonic=monotonic)
        self._repositories: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._hosts: dict[str, _Host] = {}
        self._running: dict[Hashable, _Running] = {}
        self._outcomes: dict[Hashable, Outcome] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused: dict[str, FetchError] = {}

    def start(
        self,
        key: Hashable,
        tag: str,
        request: FetchRequest,
        done: Callable[[], None],
        *,
        force: bool = False,
        max_age: float = 0.0,
    ) -> None:
        """Start a fetch for `key`, instead of one for another tag that may be running.

        Args:
            key: whose source it is.
            tag: names what is fetched and why; found again in the outcome.
            request: what to fetch.
            done: called at the end, whatever it is.
            force: look at the content again even where the commit was refused before.
            max_age: seconds since which another Bundle may have asked the remote for this one too.
        """
        running = self._running.get(key)
        if running is not None:
            if running.tag == tag:
                return
            running.task.cancel()
        not_before = self._not_before(key, tag, max_age)
        task = asyncio.create_task(
            self._run(key, tag, request, done, force=force, not_before=not_before), name=f"fetch {key}"
        )
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
        await self._polls.close()
        await self._fetcher.close()

    async def _run(
        self,
        key: Hashable,
        tag: str,
        request: FetchRequest,
        done: Callable[[], None],
        *,
        force: bool,
        not_before: float,
    ) -> None:
        result: Fetched | FetchError
        try:
            result = await self._fetch(request, force=force, not_before=not_before)
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

    def _not_before(self, key: Hashable, tag: str, max_age: float) -> float:
        """Return the oldest look at the remote that tells `key` something new.

        Nobody's knowledge gets older than its interval, and a change of the spec, a Secret or a request is a new look.
        """
        now = self._monotonic()
        last = self._outcomes.get(key)
        if last is None or last.tag != tag:
            return now
        seen = last.result.looked if isinstance(last.result, Fetched) else last.ended
        return max(now - max_age, math.nextafter(seen, math.inf))

    async def _fetch(self, request: FetchRequest, *, force: bool, not_before: float) -> Fetched:
        url = source_url(request.ref.kind, request.url, protocols=request.protocols)
        lock = self._repositories.setdefault(url.clean or request.source_key(FORMAT), asyncio.Lock())
        async with lock:
            try:
                return await self._look_and_fetch(request, url.host, force=force, not_before=not_before)
            except StorageError as error:
                reason = Reason.DISK_FULL if error.full else Reason.STORAGE_FAILED
                raise FetchError(reason, str(error)) from error

    async def _look_and_fetch(self, request: FetchRequest, host: str, *, force: bool, not_before: float) -> Fetched:
        source = request.source_key(FORMAT)
        known = await asyncio.to_thread(self._known, source)
        refused = None if force else self._refused.get(source)
        expected = refused.commit if refused else known.identity if known else ""
        looked = self._monotonic()
        name = known.name if known else ""
        changed = False
        if expected:
            if request.pinned:
                unchanged = expected == request.pinned
            elif request.ref.kind == "archive":
                unchanged = False
            else:
                self._check(host)
                with self._observed("poll", host) as observed:
                    look = await self._polls.look(request, not_before=not_before)
                    found = look.of(request.ref) if look is not None else None
                    unchanged = found is not None and request.identity(found.commit, found.object) == expected
                    looked = look.at if look is not None else looked
                    name = found.name if found is not None else name
                    changed = found is not None and not unchanged
                    observed.append("unchanged" if unchanged else "changed")
            if unchanged and refused:
                raise refused
            if unchanged and known:
                return known.fetched(self._store.size(known.digest), looked, name)
        async with self._slots:
            self._check(host)
            looked = self._monotonic()
            with self._observed("fetch", host) as observed:
                etag = known.etag if known and not refused else ""
                # What was seen to have changed need not be asked about once more.
                held = "" if changed else expected
                asked = request.model_copy(update={"known_commit": held, "known_etag": etag})
                fetched = await self._fetch_now(asked, source, looked)
                observed.append("unchanged" if isinstance(fetched, str) else "fetched")
        if isinstance(fetched, Fetched):
            return fetched
        if refused:
            raise refused
        assert known is not None
        return known.fetched(self._store.size(known.digest), looked, fetched)

    def _known(self, source: str) -> _Known | None:
        """Return what is in storage of a source; raises StorageError before anything is fetched in vain."""
        self._store.check()
        known = self._store.known(source)
        if known is None:
            return None
        notes = self._store.notes(source)
        commit, digest = known
        return _Known(
            commit=commit,
            digest=digest,
            identity=notes.get("identity") or commit,
            name=notes.get("name", ""),
            verified=notes.get("verified", ""),
            etag=notes.get("etag", ""),
        )

    async def _fetch_now(self, request: FetchRequest, source: str, looked: float) -> Fetched | str:
        """Run the child; a text: the source is as it is known already, under that name."""
        try:
            with self._store.work_dir() as work_dir:
                result = await self._fetcher.fetch(request, work_dir)
                if request.ref.kind not in {"archive", "inline"}:
                    self._polls.moved(request, result.url)
                if result.outcome == "unchanged":
                    return result.name
                archive = work_dir / ARCHIVE_NAME
                notes = {"name": result.name, "verified": result.verified, "etag": result.etag}
                if result.identity != result.commit:
                    notes["identity"] = result.identity
                notes = {name: value for name, value in notes.items() if value}
                size = await asyncio.to_thread(self._store.adopt, archive, result.digest)
                await asyncio.to_thread(self._store.remember, source, result.commit, result.digest, notes)
        except FetchError as error:
            if error.reason in CONTENT and error.commit:
                _remember(self._refused, source, error)
            raise
        self._refused.pop(source, None)
        return Fetched(result.commit, result.digest, size, looked, result.name, result.verified)

    @contextlib.contextmanager
    def _observed(self, work: Literal["poll", "fetch"], host: str) -> Iterator[list[str]]:
        """Note how work on a host ended; the outcome of what did not fail is put into the list."""
        started = self._monotonic()
        outcome: list[str] = []
        try:
            yield outcome
            self._note(host, None)
        except FetchError as error:
            outcome = [error.reason]
            self._note(host, error)
            raise
        except StorageError as error:
            outcome = [Reason.DISK_FULL if error.full else Reason.STORAGE_FAILED]
            raise
        finally:
            if outcome and self._observer is not None:
                self._observer.fetched(work, str(outcome[0]), self._monotonic() - started)

    def _check(self, host: str) -> None:
        """Give up at once where the host failed for somebody else while this one waited for its turn.

        Raises:
            FetchError: what the host failed with.
        """
        if self.pause_of(host):
            raise self._hosts[host].error

    def _note(self, host: str, error: FetchError | None) -> None:
        if error is None or error.reason not in HOST_TROUBLE:
            self._hosts.pop(host, None)
            return
        state = self._hosts.get(host) or _Host(error)
        _remember(self._hosts, host, state)
        # Several fetches that were under way together are one failure of the host, not several.
        if self._monotonic() >= state.not_before:
            state.error = error
            state.failures += 1
            state.not_before = self._monotonic() + backoff(state.failures)
