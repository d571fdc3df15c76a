"""The journal of one run of a turn: on the worker's side asked by ordinal, on the supervisor's kept within bounds."""

import contextvars
import itertools
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from botyard.core.errors import JournalMismatch

MAX_RECORD = 4 * 1024 * 1024
"""Bytes of one step's record."""
MAX_JOURNAL = 16 * 1024 * 1024
"""Bytes of all records of one turn: they travel to the worker in one frame when the turn is run again."""
MAX_STEPS = 10_000
"""Steps of one turn."""
_ADVICE = "a turn must ask the same on every run (put what varies into a step)"
_ORDINAL = re.compile(r"\d{1,6}(\.\d{1,6}){0,15}", re.ASCII)

Put = Callable[[str, bytes], Awaitable[bytes]]
"""Keeps the record of an ordinal and returns the one that stands."""


class JournalFull(Exception):
    """A turn took more steps, or larger ones, than its journal may hold."""


@dataclass(slots=True)
class _Scope:
    """Where steps are counted: the turn itself, or one of its steps."""

    steps: "Steps"
    prefix: str = ""
    count: "itertools.count[int]" = field(default_factory=itertools.count)


_scope: contextvars.ContextVar[_Scope | None] = contextvars.ContextVar("botyard_step_scope", default=None)


class Steps:
    """The steps of one run, in the worker: what an earlier run has done is not done again."""

    def __init__(
        self, event: str, journal: Mapping[str, bytes], put: Put, may: Callable[[], Awaitable[float]] | None = None
    ) -> None:
        """Begin a run.

        Args:
            event: The event's id, part of every step's idempotence key.
            journal: Records of earlier runs by ordinal.
            put: Keeps a record, through the supervisor.
            may: Raises when the turn is another replica's by now, or returns for how many seconds it will not be;
                asked before each step is run.
        """
        self._event = event
        self._journal = journal
        self._unread = set(journal)
        self._put = put
        self._may = may
        self._root = _Scope(self)
        self._mismatch: JournalMismatch | None = None

    async def take(self, name: str, request: Any, run: Callable[[str], Awaitable[Any]]) -> Any:
        """Return the kept result of the next step, or run it, keep its result and return that.

        Steps that `run` takes are counted below this one, so that they are left out together with it.

        Raises:
            JournalMismatch: An earlier run asked for another step at this place.
            TypeError: JSON cannot express the request or the result.
        """
        scope = _scope.get()
        if scope is None or scope.steps is not self:
            scope = self._root
        ordinal = f"{scope.prefix}{next(scope.count)}"
        digest = _digest(name, request)
        if (record := self._journal.get(ordinal)) is not None:
            self._unread.discard(ordinal)
            return self._result(record, digest, name, ordinal)
        await self._make_sure()
        token = _scope.set(_Scope(self, f"{ordinal}."))
        try:
            result = await run(f"{self._event}:{ordinal}:{digest}")
        finally:
            _scope.reset(token)
        fresh = _json({"digest": digest, "name": name, "result": result}, f"the result of step {name!r}")
        return self._result(await self._put(ordinal, fresh.encode()), digest, name, ordinal)

    async def _make_sure(self) -> None:
        """Return when the turn is this replica's, also if this process was stopped since it was told so."""
        while self._may is not None:
            asked = time.monotonic()
            seconds = await self._may()
            if time.monotonic() - asked < seconds:
                return

    def _result(self, record: bytes, digest: str, name: str, ordinal: str) -> Any:
        kept = json.loads(record)
        if kept["digest"] != digest:
            self._mismatch = JournalMismatch(
                f"step {ordinal} of this turn was {kept['name']!r} on an earlier run and is {name!r}, or the same with "
                f"other arguments, on this one; {_ADVICE}"
            )
            raise self._mismatch
        return kept["result"]

    def deviation(self) -> JournalMismatch | None:
        """Return how this run, now over, asked differently than an earlier one; None when it did not.

        Also told where the bundle caught the error, and where it left out a step that an earlier run took.
        """
        if self._mismatch is not None:
            return self._mismatch
        left_out = sorted(ordinal for ordinal in self._unread if not self._below_another(ordinal))
        if not left_out:
            return None
        name = json.loads(self._journal[left_out[0]])["name"]
        return JournalMismatch(
            f"an earlier run of this turn took step {left_out[0]} ({name!r}) and this one did not; {_ADVICE}"
        )

    def _below_another(self, ordinal: str) -> bool:
        parts = ordinal.split(".")
        return any(".".join(parts[:length]) in self._journal for length in range(1, len(parts)))


class JournalBounds:
    """What a turn may still journal, in the supervisor, which trusts no worker."""

    def __init__(self, journal: Mapping[str, bytes]) -> None:
        self._count = len(journal)
        self._size = sum(map(len, journal.values()))

    def check(self, ordinal: str, record: bytes) -> None:
        """Count a record before it is kept.

        Raises:
            JournalFull: It is too large, or there are too many.
            ValueError: This is no ordinal.
        """
        if not _ORDINAL.fullmatch(ordinal):
            raise ValueError(f"no ordinal of a step: {ordinal[:100]!r}")
        self.count(record)

    def count(self, record: bytes) -> None:
        """Count a record whose place is the supervisor's own; raises as `check`."""
        if len(record) > MAX_RECORD:
            raise JournalFull(f"the result of a step has {len(record)} bytes as JSON; {MAX_RECORD} are allowed")
        if self._count >= MAX_STEPS or self._size + len(record) > MAX_JOURNAL:
            raise JournalFull(
                f"a turn may take {MAX_STEPS} steps with {MAX_JOURNAL} bytes of results; this one has taken "
                f"{self._count} with {self._size} bytes"
            )
        self._count += 1
        self._size += len(record)


def _digest(name: str, request: Any) -> str:
    text = _json([name, request], f"the arguments of step {name!r}", sort_keys=True)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _json(value: Any, what: str, *, sort_keys: bool = False) -> str:
    try:
        return json.dumps(value, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{what} cannot be expressed as JSON: {error}") from error
