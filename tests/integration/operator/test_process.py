"""The process: leadership, probes, namespaced mode with a Role only, and its footprint."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.accounts import account_with_the_charts_roles
from tests.integration.operator.process import SYSTEM_NAMESPACE, OperatorProcess
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import World

LEASE_SECONDS = 30
"""Long enough for a leader on a busy machine, and short enough to wait for."""


@pytest.fixture
def pair(apiserver: ApiServer, system_namespace: str, tmp_path: Path) -> Iterator[list[OperatorProcess]]:
    processes: list[OperatorProcess] = []
    try:
        processes.append(OperatorProcess(apiserver, tmp_path / "first", lease_seconds=LEASE_SECONDS))
        processes[0].await_leading()
        processes.append(OperatorProcess(apiserver, tmp_path / "second", lease_seconds=LEASE_SECONDS))
        yield processes
    finally:
        for process in processes:
            process.resume()
            process.kill()


def test_a_standby_takes_over_at_once_when_the_leader_ends(world: World, pair: list[OperatorProcess]) -> None:
    leader, standby = pair
    standby.await_log("standing by")
    assert leader.stop() == 0
    standby.await_leading()
    world.bundle()
    world.bot()
    world.await_object("Deployment", "repairs")


def test_a_frozen_leader_is_replaced_within_the_lease_and_ends_when_it_wakes(
    world: World, pair: list[OperatorProcess]
) -> None:
    leader, standby = pair
    standby.await_log("standing by")
    leader.pause()
    standby.await_leading()
    leader.resume()
    assert leader.await_end() == 1
    lease = world.get("Lease", "botyard-operator", SYSTEM_NAMESPACE)
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == standby.identity


def test_probes_and_metrics(pair: list[OperatorProcess]) -> None:
    leader, standby = pair
    for process in pair:
        process.await_log("leading" if process is leader else "standing by")
        assert process.probe("/healthz") == (200, "ok\n")
        eventually(lambda process=process: process.probe("/readyz") == (200, "ok\n"), f"{process.identity} is ready")
    assert "botyard_leader 1.0" in leader.probe("/metrics")[1]
    assert "botyard_leader 0.0" in standby.probe("/metrics")[1]
    counted = 'botyard_reconciles_total{kind="Routes",outcome="success"}'
    eventually(lambda: counted in leader.probe("/metrics")[1], "a reconcile is counted")


def test_namespaced_mode_needs_no_permission_beyond_its_roles(
    world: World, apiserver: ApiServer, system_namespace: str, tmp_path: Path
) -> None:
    kubeconfig = account_with_the_charts_roles(apiserver, world.namespace)
    process = OperatorProcess(apiserver, tmp_path, namespaces=[world.namespace], kubeconfig=kubeconfig)
    try:
        process.await_leading()
        world.ready_bot()
        world.persona("nora")
        world.await_condition("Persona", "nora", "Ready", "True")
        assert "orbidden" not in process.log.read_text()
    finally:
        process.stop()


def test_an_idle_operator_is_small(pair: list[OperatorProcess]) -> None:
    leader, _ = pair
    eventually(lambda: leader.rss_bytes() < 150 * 1024 * 1024, "the process is below 150 MiB")
