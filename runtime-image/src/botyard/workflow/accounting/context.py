"""Who uses a service and for what: said around the code that does, seen by every call inside."""

import contextlib
import contextvars
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

IDENTITY = (
    "user_id",
    "session_id",
    "user_type",
    "tenant_id",
    "project_id",
    "request_id",
    "app_bundle_id",
    "component",
)
"""Members of a context that are members of its events; all others are told in their `context`."""


class AccountingContext(dict[str, Any]):
    """What is known around a call. Members are attributes as well; those that nobody said are None."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)

    def to_dict(self) -> dict[str, Any]:
        """Return the members."""
        return dict(self)


@dataclass(frozen=True, slots=True)
class _Surroundings:
    context: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[Any, ...] = ()


_EMPTY = _Surroundings()
_current: ContextVar[_Surroundings] = ContextVar("botyard_accounting", default=_EMPTY)


def get() -> AccountingContext:
    """Return what is known here; changing the answer changes nothing."""
    return AccountingContext(_current.get().context)


def put(**members: Any) -> None:
    """Say more of everything that follows in this context; None takes a member back."""
    now = _current.get()
    merged = {name: value for name, value in {**now.context, **members}.items() if value is not None}
    _current.set(_Surroundings(merged, now.metadata, now.seeds))


@contextlib.contextmanager
def assumed(**members: Any) -> Iterator[None]:
    """Say what the code inside is for, as far as nobody has said it."""
    now = _current.get()
    told = {name: value for name, value in members.items() if value not in (None, "")}
    token = _current.set(_Surroundings({**told, **now.context}, now.metadata, now.seeds))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            _current.reset(token)


def clear() -> None:
    """Forget everything that was said."""
    _current.set(_EMPTY)


def metadata() -> dict[str, Any]:
    """Return what the surrounding code wants added to events."""
    return dict(_current.get().metadata)


def seeds() -> list[Any]:
    """Return the resources that the surrounding code works on."""
    return list(_current.get().seeds)


class with_accounting:  # noqa: N801 - the name that bundles write
    """Tell what the calls inside are for; works as `with` and as `async with`, and restores what was.

        with with_accounting("my.bundle.rerank", metadata={"k": 50}, conversation_id="c1"):
            await rank(found)

    Args:
        component: Which part of the bundle works here.
        metadata: Added to events; what surrounds it stays, the inner word wins.
        seed_system_resources: Resources that the work is about.
        **members: Members of the context, such as `user_id` or `conversation_id`, for the length of the block.
    """

    def __init__(
        self,
        component: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        seed_system_resources: Any = None,
        **members: Any,
    ) -> None:
        self._members = {"component": component, **members}
        self._metadata = dict(metadata or {})
        self._seeds = _as_tuple(seed_system_resources)
        # A stack: one object may surround several blocks.
        self._outer: list[tuple[contextvars.Token[_Surroundings], _Surroundings]] = []

    def __enter__(self) -> "with_accounting":
        outer = _current.get()
        seeds = outer.seeds + tuple(seed for seed in self._seeds if seed not in outer.seeds)
        inner = _Surroundings({**outer.context, **self._members}, {**outer.metadata, **self._metadata}, seeds)
        self._outer.append((_current.set(inner), outer))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token, outer = self._outer.pop()
        try:
            _current.reset(token)
        except ValueError:
            # Left in another context than entered, as generators are that nobody finished.
            _current.set(outer)

    async def __aenter__(self) -> "with_accounting":
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple | set) else (value,)
