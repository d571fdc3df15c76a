"""Methods of a workflow that a request may call in place of `run`: those that are declared, and no others."""

import inspect
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from botyard.workflow.errors import UnknownOperation
from botyard.workflow.protocol import ChatTaskPayload

F = TypeVar("F", bound=Callable[..., Any])

MARK = "__agentic_operation__"
RUN = frozenset({"", "run", "chat"})
"""Names by which a request asks for the turn itself."""


def agentic_operation(method: F) -> F:
    """Declare a method as an operation: requests may call it by its name."""
    setattr(method, MARK, True)
    return method


def declared(workflow: Any) -> list[str]:
    """Return the names of a workflow's operations."""
    return declared_by(type(workflow))


def declared_by(cls: type) -> list[str]:
    """Return the names of the operations of workflows of a class."""
    listed: Any = getattr(cls, "OPERATIONS", ())
    names = [str(name) for name in listed] if isinstance(listed, Collection) and not isinstance(listed, str) else []
    marked = [
        name for name, _ in inspect.getmembers(cls, callable) if getattr(inspect.getattr_static(cls, name), MARK, False)
    ]
    return sorted({*names, *marked})


def named(workflow: Any, task: ChatTaskPayload) -> str:
    """Return the operation that a request asks for; empty: the turn itself.

    `operation` of the request must be declared. `command` of its payload is an operation where one of that name is
    declared, and else the bundle's own affair.

    Raises:
        UnknownOperation: It is not declared.
    """
    asked = str(task.request.operation or "")
    known = declared(workflow)
    if asked not in RUN and asked not in known:
        raise UnknownOperation(f"there is no operation {asked!r}; declared are: {', '.join(known) or 'none'}")
    if asked in RUN and (command := task.request.payload.get("command")) in known:
        return str(command)
    return "" if asked in RUN else asked


async def call(workflow: Any, operation: str, params: dict[str, Any]) -> Any:
    """Call an operation with what it takes of `params`, and return its result."""
    method = getattr(workflow, operation)
    parameters = inspect.signature(method).parameters.values()
    if not any(each.kind is each.VAR_KEYWORD for each in parameters):
        names = {each.name for each in parameters}
        params = {name: value for name, value in params.items() if name in names}
    result = method(**params)
    return await result if inspect.isawaitable(result) else result
