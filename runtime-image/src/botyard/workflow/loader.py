"""Finds the workflow of a bundle and makes instances of it."""

import inspect
import os
import threading
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botyard.workflow import decorators, importing
from botyard.workflow.entrypoint import BaseEntrypoint
from botyard.workflow.errors import NoWorkflowFound

_WORKFLOWS = ("workflow_factory", "workflow_class")


@dataclass(frozen=True, slots=True)
class AgenticBundleSpec:
    """Where a bundle's code is."""

    path: str
    """A folder, a `.py`, a `.zip` or a `.whl`."""
    module: str | None = None
    """Dotted module in it that holds the workflow; a file, and a folder that is a package, need none."""
    singleton: bool = False
    """One instance serves all requests."""
    id: str | None = None
    """The bundle's id in the registry."""

    @property
    def key(self) -> str:
        """What tells it from others."""
        return f"{os.path.realpath(self.path)}::{self.module or ''}"


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """An imported bundle."""

    module: types.ModuleType
    package: str
    symbol: Callable[..., Any]
    """The class or factory."""
    initial_state: Callable[..., Any] | None
    """The function that is marked as making the state of a turn."""
    singleton: bool


_lock = threading.RLock()
_loaded: dict[str, Loaded] = {}
_singletons: dict[str, Any] = {}


def load_bundle(spec: AgenticBundleSpec, symbol: str = "") -> Loaded:
    """Import a bundle, unless it is imported already.

    Args:
        spec: Where it is.
        symbol: Name of its class or factory; empty: the marked one of the highest priority.

    Raises:
        FileNotFoundError: There is no such path.
        ImportError: The module is not there.
        NoWorkflowFound: Nothing in the module is marked.
        Exception: Whatever the bundle's code raises.
    """
    key = f"{spec.key}::{symbol}"
    with _lock:
        if (found := _loaded.get(key)) is not None:
            return found
        module, package = importing.import_bundle(Path(spec.path), spec.module)
        try:
            chosen = find_workflow(module, symbol)
        except NoWorkflowFound:
            importing.forget(package)
            raise
        singleton = spec.singleton or bool(decorators.meta_of(chosen).get("singleton"))
        made = _loaded[key] = Loaded(module, package, chosen, _best(module, ("initial_state",)), singleton)
        return made


def get_workflow_instance(
    spec: AgenticBundleSpec,
    config: Any,
    *,
    comm_context: Any = None,
    pg_pool: Any = None,
    redis: Any = None,
) -> tuple[Any, types.ModuleType]:
    """Return an instance of a bundle's workflow that serves `comm_context`, and its module.

    Args:
        spec: Where the bundle is.
        config: The host's settings (`Config`).
        comm_context: The request (`ChatTaskPayload`).
        pg_pool: A pool of Postgres connections, or None.
        redis: An asynchronous Redis client, or None.

    Raises:
        Exception: As `load_bundle`, or whatever the bundle's constructor raises.
    """
    loaded = load_bundle(spec)
    return instance_of(loaded, spec, config, comm_context=comm_context, pg_pool=pg_pool, redis=redis), loaded.module


def instance_of(loaded: Loaded, spec: AgenticBundleSpec, config: Any, **given: Any) -> Any:
    """Return an instance that serves `given["comm_context"]`; see `get_workflow_instance`."""
    if not loaded.singleton:
        return _make(loaded.symbol, config, given)
    with _lock:
        instance = _singletons.get(spec.key)
        if instance is None:
            instance = _singletons[spec.key] = _make(loaded.symbol, config, given)
    if isinstance(instance, BaseEntrypoint):
        instance.serve(given.get("comm_context"))
    elif hasattr(instance, "comm_context"):
        instance.comm_context = given.get("comm_context")
    return instance


def find_workflow(module: types.ModuleType, symbol: str = "") -> Callable[..., Any]:
    """Return the class or factory of a module that is its workflow.

    Args:
        module: An imported module; what it imports counts as well.
        symbol: Its name, where it is known.

    Raises:
        NoWorkflowFound: There is none.
    """
    if symbol:
        named = getattr(module, symbol, None)
        if not callable(named):
            raise NoWorkflowFound(f"No decorated workflow found in module {module.__name__!r}: it has no {symbol!r}")
        return named  # type: ignore[no-any-return]
    if (found := _best(module, _WORKFLOWS)) is None:
        raise NoWorkflowFound(
            f"No decorated workflow found in module {module.__name__!r} ({module.__file__}): mark a class there with "
            "@agentic_workflow(...), or a function with @agentic_workflow_factory(...)"
        )
    return found


def clear_agentic_caches() -> None:
    """Forget all instances and modules of bundles: the next request runs the code as it is then."""
    with _lock:
        for loaded in _loaded.values():
            importing.forget(loaded.package)
        _loaded.clear()
        _singletons.clear()


def evict_inactive_specs(*, active_specs: Iterable[AgenticBundleSpec], drop_sys_modules: bool = True) -> list[str]:
    """Forget bundles that are not among the active ones.

    Args:
        active_specs: What stays.
        drop_sys_modules: Also take their modules out of the process.

    Returns:
        The keys (`path::module`) of what was forgotten.
    """
    active = {spec.key for spec in active_specs}
    with _lock:
        gone = [key for key in _loaded if key.rpartition("::")[0] not in active]
        for key in gone:
            loaded = _loaded.pop(key)
            if drop_sys_modules:
                importing.forget(loaded.package)
        evicted = [key.rpartition("::")[0] for key in gone]
        for key in [key for key in _singletons if key not in active]:
            del _singletons[key]
    return evicted


def _best(module: types.ModuleType, roles: tuple[str, ...]) -> Callable[..., Any] | None:
    found = [thing for thing in vars(module).values() if callable(thing) and decorators.role_of(thing) in roles]
    return max(found, key=_rank, default=None)


def _rank(thing: Callable[..., Any]) -> tuple[int, bool, str]:
    priority = decorators.meta_of(thing).get("priority", decorators.DEFAULT_PRIORITY)
    return int(priority), decorators.role_of(thing) == "workflow_factory", getattr(thing, "__name__", "")


def _make(symbol: Callable[..., Any], config: Any, given: dict[str, Any]) -> Any:
    """Call a class or factory with the configuration and what it names of `given`."""
    parameters = inspect.signature(symbol).parameters.values()
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
        return symbol(config, **given)
    names = {each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}
    takes_config = any(
        each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD, each.VAR_POSITIONAL) for each in parameters
    )
    arguments = {name: value for name, value in given.items() if name in names}
    if takes_config:
        return symbol(config, **arguments)
    return symbol(**arguments, **({"config": config} if "config" in names else {}))
