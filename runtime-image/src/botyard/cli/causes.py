"""Why a bot is as it is: the one cause and the one next step, from the conditions of Bot and Bundle. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cause:
    """What is going on with a bot."""

    state: str
    """`ready`, `asleep`, `stopped`, `moving` (it settles by itself) or `stuck` (somebody must do something)."""
    serves: bool
    """Whether messages are answered all the same."""
    reason: str
    message: str
    step: str
    """What to do next; empty when there is nothing to do."""


def cause(bot: Object, bundle: Object | None) -> Cause:
    """Return the cause.

    Args:
        bot: The Bot as the API serves it.
        bundle: Its Bundle, or None where there is none.
    """
    name, namespace = bot["metadata"]["name"], bot["metadata"]["namespace"]
    seen = conditions(bot)
    ready = seen.get("Ready", {})
    serves = ready.get("status") == "True"
    status = bot.get("status") or {}
    if status.get("observedGeneration", -1) < bot["metadata"].get("generation", 0):
        message = "the operator has not seen the newest spec yet"
        return Cause("moving", serves, "Progressing", message, "if this lasts: kubectl botyard doctor")
    if bot["spec"].get("suspend"):
        step = f'kubectl patch bot {name} -n {namespace} --type merge -p \'{{"spec":{{"suspend":false}}}}\''
        return Cause("stopped", serves, "Suspended", "spec.suspend is true: changes wait", step)
    found = seen.get("Stalled") or (ready if not serves else None) or seen.get("Reconciling")
    if found is None:
        state = {"Asleep": "asleep", "Stopped": "stopped"}.get(str(ready.get("reason")), "ready")
        step = f"kubectl scale bot/{name} -n {namespace} --replicas=1" if state == "stopped" else ""
        return Cause(state, state == "ready", str(ready.get("reason", "")), str(ready.get("message", "")), step)
    reason, message = str(found.get("reason", "")), str(found.get("message", ""))
    state = "stuck" if "Stalled" in seen else "moving"
    behind = _bundle_cause(bundle) if reason in {"BundleNotReady", "BundleNotFound"} else None
    if behind is not None:
        reason, message, stuck = behind
        state = "stuck" if stuck else state
    head, step = split_step(message)
    return Cause(state, serves, reason, head, step or f"kubectl describe bot {name} -n {namespace}")


def conditions(obj: Object | None) -> dict[str, Object]:
    """Return the conditions of an object by their type."""
    found = ((obj or {}).get("status") or {}).get("conditions") or ()
    return {str(each.get("type")): each for each in found}


def split_step(message: str) -> tuple[str, str]:
    """Split a condition's message into what happened and what to do, which stands behind the last `; ` or `: `."""
    for separator in ("; ", ": "):
        head, found, step = message.rpartition(separator)
        if found and step.split(" ", 1)[0].lower() in _VERBS:
            return head, step
    return message, ""


_VERBS = frozenset(
    (
        *("add", "annotate", "choose", "correct", "create", "delete", "free", "give", "grant", "install", "leave"),
        *("look", "lower", "make", "move", "push", "put", "raise", "remove", "rename", "set", "use", "write"),
    )
)
"""With these the messages of conditions begin what to do."""


def _bundle_cause(bundle: Object | None) -> tuple[str, str, bool] | None:
    seen = conditions(bundle)
    found = seen.get("Stalled") or seen.get("Reconciling") or seen.get("Ready")
    if bundle is None or found is None:
        return None
    where = f"Bundle {bundle['metadata']['namespace']}/{bundle['metadata']['name']}"
    return str(found.get("reason", "")), f"{where}: {found.get('message', '')}", "Stalled" in seen
