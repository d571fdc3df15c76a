"""An API server that refuses, forgets, crawls, restarts or falls silent: the operator goes on, or says so."""

from collections.abc import Iterator

import pytest

from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.process import OperatorProcess
from tests.integration.operator.troubled_api import TroubledApi
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import World

WATCH_SECONDS = 8


@pytest.fixture(scope="module")
def troubled(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TroubledApi]:
    with TroubledApi(apiserver, tmp_path_factory.mktemp("troubled")) as api:
        yield api


@pytest.fixture(scope="module")
def process(
    apiserver: ApiServer, system_namespace: str, troubled: TroubledApi, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """An operator that sees the API server through the proxy."""
    folder = tmp_path_factory.mktemp("operator")
    running = OperatorProcess(
        apiserver, folder, kubeconfig=troubled.kubeconfig, lease_seconds=60, watch_seconds=WATCH_SECONDS
    )
    try:
        running.await_leading()
        yield running
    finally:
        troubled.silent = False
        running.kill()


def test_every_other_request_refused_delays_but_stops_nothing(
    world: World, troubled: TroubledApi, process: OperatorProcess
) -> None:
    before = troubled.requests
    troubled.refused = 0.5
    try:
        world.ready_bot()
    finally:
        troubled.refused = 0.0
    assert process.alive()
    assert troubled.refusals > 10
    assert troubled.requests - before < 600


def test_requests_that_take_a_second_delay_but_stop_nothing(
    world: World, troubled: TroubledApi, process: OperatorProcess
) -> None:
    troubled.delay = 1.0
    try:
        world.ready_bot()
    finally:
        troubled.delay = 0.0
    assert process.alive()


def test_what_was_deleted_while_watches_began_anew_is_missed_and_comes_back(
    world: World, troubled: TroubledApi, process: OperatorProcess
) -> None:
    world.ready_bot()
    world.settle()
    uid = world.await_object("Service", "repairs")["metadata"]["uid"]
    # Lists and watches wait while the Service goes, so that no watch tells of it.
    troubled.delay = 3.0
    try:
        troubled.expire_watches()
        world.delete("Service", "repairs")
    finally:
        troubled.delay = 0.0

    def back() -> bool:
        service = world.get("Service", "repairs")
        return service is not None and service["metadata"]["uid"] != uid

    eventually(back, "the deleted Service is there again")
    process.await_log("a deletion was missed")


def test_an_operator_that_hears_nothing_fails_its_liveness_probe_and_heals(
    world: World, troubled: TroubledApi, process: OperatorProcess
) -> None:
    assert process.probe("/healthz")[0] == 200
    troubled.silent = True
    try:
        status, text = eventually(
            lambda: answer if (answer := process.probe("/healthz"))[0] != 200 else None, "the probe fails"
        )
    finally:
        troubled.silent = False
    assert status == 503
    assert "watch" in text
    eventually(lambda: process.probe("/healthz")[0] == 200, "the probe passes again")
    world.ready_bot()


def test_a_restarted_api_server_rolls_nothing_and_is_served_on(
    world: World, apiserver: ApiServer, process: OperatorProcess
) -> None:
    world.ready_bot()
    world.settle()
    generation = world.await_object("Deployment", "repairs")["metadata"]["generation"]
    apiserver.restart()
    world.bundle("second")
    world.bot_becomes_ready("second")
    assert process.alive()
    assert world.await_object("Deployment", "repairs")["metadata"]["generation"] == generation
