"""Looks at remotes, shared: Bundles of one repository with the same credentials ask it once, not each for itself."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from botyard_operator.artifacts.store import ArtifactStore
from botyard_operator.fetch import failures
from botyard_operator.fetch.http_listing import HttpRefLister
from botyard_operator.fetch.listing import RefLister
from botyard_operator.fetch.remote import GitFailed
from botyard_operator.fetch.request import FetchRequest, Ref
from botyard_operator.fetch.url import GitUrl, parse_git_url
from botyard_operator.fetch.versions import Found, find_ref

MAX_REFS = 32
"""Refs of one remote that are asked for together; those of Bundles that asked last."""
_MAX_REMOTES = 10_000


@dataclass(frozen=True, slots=True)
class Look:
    """What a remote's refs named at one moment."""

    at: float
    """When it was asked, on the monotonic clock."""
    asked: frozenset[str]
    found: Mapping[str, str]

    def of(self, ref: Ref) -> Found | None:
        """Return what a ref meant, or None where it did not exist; raises FetchError for a range that is none."""
        return find_ref(ref, self.found)


@dataclass(slots=True)
class _Remote:
    refs: dict[str, None] = field(default_factory=dict)
    """What Bundles follow; the one asked for last is at the end."""
    look: Look | None = None
    address: str = ""
    """Where the server redirects to, within its own host."""


class Polls:
    """Remembers the last look at each remote. Calls for one remote must come one after another."""

    def __init__(
        self,
        lister: RefLister,
        store: ArtifactStore,
        *,
        concurrency: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare.

        Args:
            lister: asks a remote.
            store: gives work folders.
            concurrency: looks at once.
            monotonic: the clock.
        """
        self._lister = lister
        self._http = HttpRefLister()
        self._store = store
        self._slots = asyncio.Semaphore(concurrency)
        self._monotonic = monotonic
        self._remotes: dict[str, _Remote] = {}

    async def look(self, request: FetchRequest, *, not_before: float) -> Look | None:
        """Return what the request's ref names, from an earlier look where that is new enough.

        Args:
            request: whose remote and ref to look at.
            not_before: the oldest look that will do, on the monotonic clock.

        Returns:
            None where git alone cannot tell: a redirect leads elsewhere, or nothing was found.

        Raises:
            FetchError: with the documented reason.
        """
        url = parse_git_url(request.url, protocols=request.protocols)
        remote = self._remote(request, url)
        ref = request.ref.full_name
        remote.refs.pop(ref, None)
        remote.refs[ref] = None
        while len(remote.refs) > MAX_REFS:
            del remote.refs[next(iter(remote.refs))]
        look = remote.look
        if look is not None and look.at >= not_before and ref in look.asked:
            return look if look.of(request.ref) else None
        async with self._slots:
            remote.look = look = await self._ask(request, url, remote)
        return look if look is not None and look.of(request.ref) else None

    async def close(self) -> None:
        """Close the connections that are kept."""
        await self._http.close()

    def moved(self, request: FetchRequest, address: str) -> None:
        """Note where a repository is really served, so that the next look goes there directly."""
        url = parse_git_url(request.url, protocols=request.protocols)
        self._remote(request, url).address = "" if address == url.clean else address

    async def _ask(self, request: FetchRequest, url: GitUrl, remote: _Remote) -> Look | None:
        started = self._monotonic()
        refs = frozenset(remote.refs)
        target = parse_git_url(remote.address, protocols=request.protocols) if remote.address else url
        timeout = min(request.timeout_seconds, self._lister.max_timeout_seconds)
        seen = await self._http.list(target, refs, credentials=request.credentials, timeout_seconds=timeout)
        if seen is not None:
            return Look(started, refs, seen)
        with self._store.work_dir() as work_dir:
            try:
                found = await self._lister.list(
                    target,
                    sorted(refs),
                    work_dir,
                    protocols=request.protocols,
                    credentials=request.credentials,
                    timeout_seconds=request.timeout_seconds,
                )
            except GitFailed as failure:
                # A redirect is followed, or refused, by the whole fetch.
                if remote.address or failures.was_redirected(failure.stderr):
                    remote.address = ""
                    return None
                raise failures.from_stderr(failure.stderr, url=url.clean) from None
        return Look(started, refs, found)

    def _remote(self, request: FetchRequest, url: GitUrl) -> _Remote:
        # Who presents the same credentials may know the same; the digest never leaves the memory.
        identity = f"{url.clean}\0{request.protocols}\0{request.credentials.model_dump_json()}"
        key = hashlib.sha256(identity.encode()).hexdigest()
        remote = self._remotes.pop(key, None) or _Remote()
        self._remotes[key] = remote
        if len(self._remotes) > _MAX_REMOTES:
            del self._remotes[next(iter(self._remotes))]
        return remote
