"""Fixtures: a real API server for the session (one for each worker of pytest-xdist), a namespace for each test."""

import secrets
from collections.abc import Iterator

import pytest

from tests.integration.apiserver.binaries import BinariesMissing
from tests.integration.apiserver.server import ApiServer

KINDS = ("Persona", "Bot", "Bundle")


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real API server with the CRDs of `crds/` and without nodes or controllers."""
    try:
        server = ApiServer(tmp_path_factory.mktemp("apiserver"))
    except BinariesMissing as error:
        pytest.fail(str(error), pytrace=False)
    server.start()
    try:
        yield server
    finally:
        server.client.close()
        server.stop()


@pytest.fixture
def namespace(apiserver: ApiServer) -> Iterator[str]:
    """The name of a new namespace; objects of our kinds in it are deleted afterwards.

    The namespace itself stays until the server goes: no controller would finish its deletion.
    """
    name = f"test-{secrets.token_hex(4)}"
    apiserver.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    for kind in KINDS:
        apiserver.client.delete_collection(
            {"apiVersion": "botyard.dev/v1alpha1", "kind": kind, "metadata": {"namespace": name}}
        )
