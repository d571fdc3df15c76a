"""Waiting for Botyard's objects to become Ready, with what they say of themselves while they do."""

import time
from collections.abc import Callable, Sequence

from demo.commands import DemoError
from demo.kubectl import Kubectl, Object, condition, is_current

Say = Callable[[str], None]


def wait_ready(kubectl: Kubectl, namespace: str, objects: Sequence[str], *, seconds: float, say: Say) -> None:
    """Wait until objects are Ready at their newest generation, saying every change of their state.

    Args:
        kubectl: The cluster.
        namespace: Where the objects are.
        objects: For instance `bundle/repairs`.
        seconds: Time-out for all of them together.
        say: Prints a line.

    Raises:
        DemoError: Time is up; with the conditions, and the log of the pod at fault.
    """
    said: dict[str, str] = {}
    deadline = time.monotonic() + seconds
    while True:
        waiting = []
        for reference in objects:
            kind, _, name = reference.partition("/")
            found = kubectl.get(kind, name, namespace)
            ready = is_current(found)
            if not ready:
                waiting.append(reference)
            line = describe(found)
            if said.get(reference) != line:
                said[reference] = line
                say(f"  {'✓' if ready else '…'} {reference}: {line}")
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise DemoError(
                f"not Ready after {seconds:.0f} s: {', '.join(waiting)}\n{diagnose(kubectl, namespace, waiting)}"
            )
        time.sleep(0.5)


def describe(obj: Object | None) -> str:
    """Return the state of an object in one line."""
    if obj is None:
        return "does not exist"
    for kind in ("Stalled", "Reconciling", "Ready"):
        if found := condition(obj, kind):
            return f"{found['reason']}: {found.get('message') or kind}"
    return "waiting for the operator"


def diagnose(kubectl: Kubectl, namespace: str, objects: Sequence[str]) -> str:
    """Return the conditions of objects, the namespace's warnings and the logs of pods that are not ready."""
    parts = []
    for reference in objects:
        kind, _, name = reference.partition("/")
        conditions = ((kubectl.get(kind, name, namespace) or {}).get("status") or {}).get("conditions") or []
        lines = [f"  {c['type']}={c['status']} {c['reason']}: {c.get('message', '')}" for c in conditions]
        parts.append("\n".join([f"{reference}:", *(lines or ["  no conditions: is the operator running?"])]))
    warnings = kubectl("-n", namespace, "get", "events", "--field-selector=type=Warning", "--no-headers")
    if warnings.strip():
        parts.append("warnings:\n" + "\n".join(f"  {line}" for line in warnings.splitlines()[-10:]))
    parts += [pod_log(kubectl, namespace, pod) for pod in kubectl.items("pods", namespace) if not _is_ready(pod)]
    return "\n".join(parts)


def pod_log(kubectl: Kubectl, namespace: str, pod: Object) -> str:
    """Return the end of the logs of all containers of a pod; a crashed container's are of its last run."""
    name = pod["metadata"]["name"]
    statuses = [
        *(pod["status"].get("initContainerStatuses") or []),
        *(pod["status"].get("containerStatuses") or []),
    ]
    parts = []
    for status in statuses:
        previous = ["--previous"] if status.get("restartCount") and "waiting" in status["state"] else []
        try:
            log = kubectl("-n", namespace, "logs", name, "-c", status["name"], "--tail=20", *previous)
        except DemoError:
            continue
        if log.strip():
            parts.append(
                f"log of {name}, container {status['name']}:\n" + "\n".join(f"  {n}" for n in log.splitlines())
            )
    return "\n".join(parts) or f"pod {name}: {pod['status'].get('phase')}, no logs"


def _is_ready(pod: Object) -> bool:
    return condition(pod, "Ready").get("status") == "True" or pod["status"].get("phase") == "Succeeded"
