"""The price table reaches pods: that of their namespace, else the installation's, whatever the operator serves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botyard.contract.names import PRICES_NAME
from botyard.contract.prices import PRICES_FILE
from tests.integration.apiserver.client import Refused
from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.accounts import account_with_the_charts_roles
from tests.integration.operator.process import OperatorProcess
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import World


def table(coins: int) -> dict[str, str]:
    return {PRICES_FILE: f"models: [{{model: gpt, prices: [{{input: {coins}, output: {coins}}}]}}]"}


@pytest.fixture(params=["all namespaces", "a list of them"])
def serving(
    world: World, apiserver: ApiServer, system_namespace: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[World]:
    """An operator with no more rights than the chart gives it."""
    listed = request.param == "a list of them"
    kubeconfig = account_with_the_charts_roles(apiserver, world.namespace) if listed else None
    namespaces = [world.namespace] if listed else []
    process = OperatorProcess(apiserver, tmp_path, namespaces=namespaces, kubeconfig=kubeconfig)
    try:
        process.await_leading()
        yield world
    finally:
        process.stop()
        remove(World(apiserver, system_namespace))


def remove(place: World) -> None:
    try:
        place.delete("ConfigMap", PRICES_NAME)
    except Refused as error:
        if error.code != 404:
            raise


def mounted(world: World) -> Any:
    """What the pods of the Bot read."""
    found = world.get("ConfigMap", "repairs-bot")
    return (found or {}).get("data", {}).get(PRICES_FILE)


def test_an_edit_of_either_table_reaches_the_pods(serving: World, apiserver: ApiServer, system_namespace: str) -> None:
    installation = World(apiserver, system_namespace)
    installation.create("ConfigMap", PRICES_NAME, data=table(1))
    serving.ready_bot()
    serving.running_pod("repairs-abc")
    eventually(lambda: mounted(serving) == table(1)[PRICES_FILE], "the installation's table is mounted")
    before = serving.refreshed("repairs-abc")
    installation.patch("ConfigMap", PRICES_NAME, {"data": table(2)})
    eventually(lambda: mounted(serving) == table(2)[PRICES_FILE], "its edit is mounted")
    eventually(lambda: serving.refreshed("repairs-abc") not in (None, before), "the pod is touched")
    serving.create("ConfigMap", PRICES_NAME, data=table(3))
    eventually(lambda: mounted(serving) == table(3)[PRICES_FILE], "the namespace's own goes before it")
    remove(serving)
    eventually(lambda: mounted(serving) == table(2)[PRICES_FILE], "without it the installation's is back")
    remove(installation)
    eventually(lambda: mounted(serving) is None, "without any there are no prices")
