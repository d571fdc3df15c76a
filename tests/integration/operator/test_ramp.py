"""A revision that is ramped: the operator as a process, a real API server, a real Redis, the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from redis.asyncio import Redis

from botyard.core.address import BotAddress
from botyard.core.ramp_counts import RampCounts, Tally
from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.process import OperatorProcess
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import REVISION, Object, World
from tests.integration.redis.server import RedisServer

NEWER, NEWER_DIGEST = "main@sha1:" + "2d" * 20, "sha256:" + "b2" * 32


@pytest.fixture(scope="module")
def operator(
    apiserver: ApiServer,
    system_namespace: str,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OperatorProcess]:
    """An operator whose Redis is there."""
    process = OperatorProcess(apiserver, tmp_path_factory.mktemp("operator"), redis_url=redis_server.url)
    try:
        process.await_leading()
        yield process
    finally:
        process.stop()


@pytest.fixture
def ramped(world: World, operator: OperatorProcess) -> World:
    """A Bot of which half of the new conversations begin on a new revision, for a day."""
    world.ready_bot(rollout={"ramp": [50, 80, 100], "rampPause": "24h"})
    world.bundle_artifact(revision=NEWER, digest=NEWER_DIGEST)
    eventually(lambda: containers(world) == ["supervisor", "worker", "draining-worker"], "both revisions are brought")
    assert share(world) == 0
    world.rolled_out()
    eventually(lambda: share(world) == 50, "half of the conversations begin on it")
    eventually(lambda: status(world).get("ramp", {}).get("share") == 50, "the status tells")
    return world


def status(world: World) -> Object:
    found: Object = (world.get("Bot", "repairs") or {})["status"]
    return found


def containers(world: World) -> list[str]:
    pod = (world.get("Deployment", "repairs") or {})["spec"]["template"]["spec"]
    return [container["name"] for container in pod["containers"]]


def share(world: World) -> int | None:
    """Return the share that the pods know of; None: they know of no ramp."""
    config = json.loads((world.get("ConfigMap", "repairs-bot") or {})["data"]["bot.json"])
    return int(config["ramp"].get("share", 0)) if "ramp" in config else None


def generation(world: World) -> int:
    return int((world.get("Deployment", "repairs") or {})["metadata"]["generation"])


def kubectl_botyard(apiserver: ApiServer, world: World, *words: str) -> str:
    """Run a command of `kubectl botyard` as a process; return what it prints."""
    command = [sys.executable, "-m", "botyard.cli.kubectl", "--kubeconfig", str(apiserver.kubeconfig)]
    ran = subprocess.run(
        [*command, "-n", world.namespace, *words],
        capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ),
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_steps_replace_no_pod_and_whoever_promotes_does_not_wait(ramped: World, apiserver: ApiServer) -> None:
    told = ramped.await_condition("Bot", "repairs", "Reconciling", "True", "Ramping")
    assert "50 % of new conversations begin" in told["message"]
    assert ramped.condition("Bot", "repairs", "Ready")["status"] == "True"  # type: ignore[index]
    before = generation(ramped)
    assert "80 % of new conversations" in kubectl_botyard(apiserver, ramped, "promote", "repairs")
    eventually(lambda: share(ramped) == 80, "the next step")
    eventually(lambda: status(ramped)["ramp"]["share"] == 80, "the status tells")
    assert generation(ramped) == before
    kubectl_botyard(apiserver, ramped, "promote", "repairs", "--all")
    eventually(lambda: containers(ramped) == ["supervisor", "worker"], "the old revision goes")
    ramped.rolled_out()
    eventually(lambda: "ramp" not in status(ramped), "the ramp is over")
    assert status(ramped)["goodRevision"]["digest"] == NEWER_DIGEST
    ramped.await_condition("Bot", "repairs", "RolledOut", "True")
    assert generation(ramped) == before + 1


async def test_turns_that_fail_take_it_back_and_the_reason_is_kept(ramped: World, redis_client: Redis) -> None:
    address, ramp = BotAddress(ramped.namespace, "repairs"), status(ramped)["ramp"]["id"]
    counts: Any = {"new": Tally(turns=12, failed=6), "old": Tally(turns=40, failed=1)}
    await RampCounts(redis_client).add(address, ramp, counts, {"new": ["ada", "bob"], "old": ["cid"]})
    stalled = ramped.await_condition("Bot", "repairs", "Stalled", "True", "RampFailed")
    assert "6 of 12 turns failed, 1 of 40" in stalled["message"]
    eventually(lambda: containers(ramped) == ["supervisor", "worker"], "the old revision takes over")
    assert share(ramped) == 0
    ramped.rolled_out()
    eventually(lambda: share(ramped) is None, "nothing is left of the ramp")
    found = status(ramped)
    assert (found["revision"], found["failedRevision"]["reason"]) == (REVISION, "RampFailed")
    ramped.await_condition("Bot", "repairs", "Ready", "True")
    events = ramped.client.request("GET", f"/api/v1/namespaces/{ramped.namespace}/events")["items"]
    assert "RampFailed" in {event["reason"] for event in events}


def test_a_rollback_ends_it(ramped: World, apiserver: ApiServer) -> None:
    assert REVISION in kubectl_botyard(apiserver, ramped, "rollback", "repairs")
    eventually(lambda: containers(ramped) == ["supervisor", "worker"], "the old revision takes over")
    ramped.rolled_out()
    eventually(lambda: "ramp" not in status(ramped), "the ramp is over")
    assert status(ramped)["revision"] == REVISION
    assert ramped.condition("Bot", "repairs", "Stalled") is None


def test_an_operator_that_starts_anew_goes_on_where_it_was(ramped: World, operator: OperatorProcess) -> None:
    before, since = status(ramped)["ramp"], ramped.server.now()
    ramped.settle()
    since = ramped.server.now()
    operator.restart()
    operator.await_leading()
    ramped.writes_within(3)
    assert ramped.operator_writes(since) == []
    assert status(ramped)["ramp"] == before
