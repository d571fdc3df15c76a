"""Sessions: a machine is made for a turn from its saved state, and saved again after it.

The saved state is `{"main": {"state", "status", "variables"}, "plugins": {name: <the same>}}`; status is the number of
a `Status`. Outputs, temporary variables and the return status are not saved.
"""

import inspect
from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from botyard.fsm import variables
from botyard.fsm.errors import FsmError, SessionStateError, VariableError
from botyard.fsm.helpers.base import MachineHelpers
from botyard.fsm.plain import plain
from botyard.fsm.status import Status
from botyard.fsm.structure import INITIAL, state_name

M = TypeVar("M", bound=MachineHelpers)


def open_session(
    cls: type[M],
    send_message: Any,
    credentials: Mapping[str, Any] | None,
    state: Mapping[str, Any] | None,
    config: Mapping[str, Any] | None = None,
) -> M:
    """Return a session's machine: restored from `state`, or at its beginning where that is None or empty.

    Raises:
        SessionStateError: The state is not one of this bot.
        pydantic.ValidationError: A saved variable does not fit.
    """
    machine = construct(cls, send_message, credentials, config)
    if state:
        restore_document(machine, state)
    return machine


def construct(
    cls: type[M],
    send_message: Any,
    credentials: Mapping[str, Any] | None,
    config: Mapping[str, Any] | None = None,
) -> M:
    """Call the constructor the way the bot wrote it.

    Accepted are `(send_message, credentials)`, `(send_message, credentials=None, **kw)`, `(send_message)` and
    keyword-only forms; a parameter `config` receives the Bot's config. Credentials are a copy, so that a bot cannot
    write into another session's.
    """
    own = dict(credentials or {})
    takes_credentials, takes_config = _constructor_form(cast("Hashable", cls))
    extra: dict[str, Any] = {"config": dict(config or {})} if takes_config else {}
    if takes_credentials == "positional":
        machine = cls(send_message, own, **extra)  # type: ignore[call-arg]
    elif takes_credentials == "keyword":
        machine = cls(send_message, credentials=own, **extra)  # type: ignore[call-arg]
    else:
        machine = cls(send_message, **extra)  # type: ignore[call-arg]
    if "_structure" not in machine.__dict__:
        raise FsmError(f"{cls.__qualname__}.__init__ must call super().__init__(send_message=send_message).")
    if "credentials" not in machine.__dict__:
        machine.credentials = own
    return machine


@lru_cache(maxsize=256)
def _constructor_form(cls: Any) -> tuple[str, bool]:
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    named = {p.name: p for p in parameters}
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    takes_config = "config" in named and named["config"].kind is not inspect.Parameter.POSITIONAL_ONLY
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return "positional", takes_config
    credentials = named.get("credentials")
    if credentials is not None and credentials.kind is not credentials.POSITIONAL_ONLY:
        return "keyword", takes_config
    others = [p for p in positional[1:] if p.name != "config"]
    if others:
        return "positional", takes_config
    if any(p.kind is p.VAR_KEYWORD for p in parameters) and len(parameters) > 1:
        return "keyword", takes_config
    return "none", takes_config


def save(machine: MachineHelpers) -> dict[str, Any]:
    """Return a machine's state as plain data."""
    return {
        "main": {
            "state": machine.state_name,
            "status": machine.status.value,
            "variables": variables.dump(machine.variables),
        },
        "plugins": {
            name: plugin._save_state() for name, plugin in machine.plugins.items() if hasattr(plugin, "_save_state")
        },
    }


def committable(machine: MachineHelpers) -> dict[str, Any]:
    """Return a machine's state as JSON data that this revision of the bot can restore.

    Raises:
        VariableError: A variable cannot be saved, or would not be accepted when it is restored; the message names it.
    """
    document = save(machine)
    _check_committable(machine, document, "")
    return document


def _check_committable(machine: MachineHelpers, document: dict[str, Any], owner: str) -> None:
    main = document["main"]
    main["variables"] = {
        _variable_name(name, owner): plain(value, f"variable {name!r}{owner}")
        for name, value in main["variables"].items()
    }
    try:
        variables.load(machine._model, main["variables"])
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:10])
        raise VariableError(f"A variable{owner} does not fit its declaration: {said}") from error
    for name, plugin_document in document["plugins"].items():
        plugin = machine.plugins[name]
        if hasattr(plugin, "_model"):
            _check_committable(plugin, plugin_document, f" of plugin {name!r}")


def _variable_name(name: Any, owner: str) -> str:
    if isinstance(name, str):
        return name
    raise VariableError(f"The variable {name!r}{owner} has a name of type {type(name).__name__}: names are text.")


def restore(machine: MachineHelpers, state: Any, status: Any, saved_variables: Any, plugin_states: Any) -> None:
    """Take over a saved state; see `AbstractFSM._restore_state`."""
    known = machine._structure.states
    name = state_name(state)
    if name not in known:
        raise SessionStateError(
            f"The session is in state {name!r}, which {type(machine).__qualname__} does not declare."
        )
    try:
        machine.status = status if isinstance(status, Status) else Status(status)
    except ValueError:
        raise SessionStateError(f"The session has the unknown status {status!r}.") from None
    machine.state = known[name].value
    if not isinstance(saved_variables, Mapping):
        raise SessionStateError(f"Saved variables must be an object, not {type(saved_variables).__name__}.")
    machine.variables = variables.load(machine._model, saved_variables)
    for plugin_name, document in (plugin_states or {}).items():
        plugin = machine.plugins.get(plugin_name)
        if plugin is None:
            raise SessionStateError(
                f"The session has a plugin {plugin_name!r}, which {type(machine).__qualname__} does not have."
            )
        if document:
            restore_document(plugin, document)


def restore_document(machine: MachineHelpers, document: Mapping[str, Any]) -> None:
    """Take over what `save` returned.

    Raises:
        SessionStateError: It is not a session of this bot.
        pydantic.ValidationError: A saved variable does not fit.
    """
    main = document.get("main") if isinstance(document, Mapping) else None
    if not isinstance(main, Mapping):
        raise SessionStateError('A saved session must be an object with "main": {state, status, variables}.')
    machine._restore_state(
        main.get("state", INITIAL),
        main.get("status", Status.MOVE_FORWARD.value),
        main.get("variables") or {},
        document.get("plugins") or {},
    )
