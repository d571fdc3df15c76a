"""Marks on a bundle's classes and functions, by which the loader finds them."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

T = TypeVar("T")

ROLE = "__agentic_role__"
META = "__agentic_meta__"
DEFAULT_PRIORITY = 100
"""Of what says nothing; the highest one of a module is the bundle."""

Role = Literal["workflow_class", "workflow_factory", "initial_state"]


def agentic_workflow(
    name: str | None = None, version: str | None = None, priority: int = DEFAULT_PRIORITY, *, singleton: bool = False
) -> Callable[[T], T]:
    """Mark a class as a bundle's workflow.

    Args:
        name: The bundle's own name, such as `demo.hello`; the class's name if left out.
        version: What the author calls this state of the code.
        priority: The highest one among the marked classes and functions of a module is taken.
        singleton: One instance serves all requests of a process; each still has its own communicator.
    """
    return _mark("workflow_class", name, version=version, priority=priority, singleton=singleton)


def agentic_workflow_factory(
    name: str | None = None, version: str | None = None, priority: int = DEFAULT_PRIORITY, *, singleton: bool = False
) -> Callable[[T], T]:
    """Mark a function that returns a workflow; arguments as for `agentic_workflow`.

    It is called with the configuration and, as far as it names them, `comm_context`, `pg_pool` and `redis`.
    """
    return _mark("workflow_factory", name, version=version, priority=priority, singleton=singleton)


def agentic_initial_state(name: str | None = None, priority: int = DEFAULT_PRIORITY) -> Callable[[T], T]:
    """Mark a function that makes the state of a new turn from its payload."""
    return _mark("initial_state", name, priority=priority)


def role_of(thing: Any) -> Role | None:
    """Return what a class or function was marked as; marks are not inherited."""
    role: Role | None = vars(thing).get(ROLE) if hasattr(thing, "__dict__") else None
    return role


def meta_of(thing: Any) -> dict[str, Any]:
    """Return what the mark says."""
    return dict(getattr(thing, META, None) or {})


def _mark(role: Role, name: str | None, **meta: Any) -> Callable[[T], T]:
    if callable(name):
        raise TypeError("write the decorator with parentheses, such as @agentic_workflow(name='demo.hello')")

    def mark(thing: T) -> T:
        own = name or getattr(thing, "__name__", type(thing).__name__)
        setattr(thing, ROLE, role)
        setattr(thing, META, {"name": own, **meta})
        return thing

    return mark
