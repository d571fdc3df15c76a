"""An operator for the whole cluster, shared by the tests of a module, and a world for each test."""

from collections.abc import Iterator

import pytest

from tests.integration.apiserver.client import Refused
from tests.integration.apiserver.server import ApiServer
from tests.integration.operator.process import SYSTEM_NAMESPACE, OperatorProcess
from tests.integration.operator.world import World


@pytest.fixture(scope="session")
def system_namespace(apiserver: ApiServer) -> str:
    try:
        apiserver.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}})
    except Refused as error:
        if error.code != 409:
            raise
    return SYSTEM_NAMESPACE


@pytest.fixture
def world(apiserver: ApiServer, namespace: str) -> World:
    return World(apiserver, namespace)


@pytest.fixture(scope="module")
def operator(
    apiserver: ApiServer, system_namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    process = OperatorProcess(apiserver, tmp_path_factory.mktemp("operator"))
    try:
        process.await_leading()
        yield process
    finally:
        process.stop()
