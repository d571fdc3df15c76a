"""A control plane that writes only when something changed."""

import time

from tests.cluster.audit import AuditLog, Write
from tests.cluster.bots import counter
from tests.cluster.spaces import Space

WRITES_BEYOND_CHILDREN = 5
"""Promised from apply to Ready of one Bot."""
IDLE_SECONDS = 20.0
"""Several polling intervals of the Bundle."""
SETTLED_SECONDS = 3.0
"""Longer than the operator keeps changes together."""
CHILDREN = {"deployments", "services", "configmaps", "secrets", "poddisruptionbudgets", "networkpolicies"}


def in_namespace(writes: list[Write], namespace: str) -> list[Write]:
    return [write for write in writes if write.namespace == namespace]


def test_from_apply_to_ready_costs_few_writes(space: Space, audit: AuditLog) -> None:
    space.push(counter("v1"))
    space.bundle()
    space.ready("bundle/counter")
    start = audit.position()
    space.bot()
    space.ready("bot/counter")
    writes = in_namespace(audit.writes(start, user=space.system.operator_user), space.namespace)
    assert writes, "the audit log knows nothing of the operator"
    beyond = [write for write in writes if write.resource not in CHILDREN and write.resource != "events"]
    assert len(beyond) <= WRITES_BEYOND_CHILDREN, beyond
    children = [(write.resource, write.name) for write in writes if write.resource in CHILDREN]
    assert len(children) == len(set(children)), f"a child was written twice: {children}"


def test_idle_costs_no_write(shared: Space, audit: AuditLog) -> None:
    shared.ready("bundle/counter", "bot/counter", "persona/nora")

    def writes_within(seconds: float) -> list[Write]:
        # A condition cannot be waited for here: nothing is to happen.
        start = audit.position()
        time.sleep(seconds)
        return in_namespace(audit.writes(start, user=shared.system.operator_user), shared.namespace)

    shared.eventually("what follows Ready is written", lambda: not writes_within(SETTLED_SECONDS))
    assert writes_within(IDLE_SECONDS) == []


def test_a_restarted_operator_rolls_nothing(shared: Space) -> None:
    shared.ready("bot/counter")
    kubectl, system = shared.kubectl, shared.system.namespace

    def templates() -> dict[str, tuple[int, str]]:
        found = kubectl.items("deployments", shared.namespace)
        return {item["metadata"]["name"]: (item["metadata"]["generation"], item["metadata"]["uid"]) for item in found}

    before, pods = templates(), {pod["metadata"]["uid"] for pod in shared.pods()}
    kubectl("-n", system, "rollout", "restart", "deployment/botyard-operator")
    kubectl("-n", system, "rollout", "status", "deployment/botyard-operator", "--timeout=300s", seconds=310)
    # A change that only the new operator can have made shows that it has looked at the namespace.
    shared.apply("Persona", "omar", {"botRef": {"name": "counter"}, "displayName": "Omar"})
    shared.ready("persona/omar", "bundle/counter", "bot/counter")
    assert templates() == before
    assert {pod["metadata"]["uid"] for pod in shared.pods()} == pods
