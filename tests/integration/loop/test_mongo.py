"""A Persona's own MongoDB over the wire protocol, and files in it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from botyard.loop import context, mongo_files
from botyard.loop.calls import run_call
from botyard.loop.context import RobotContext
from botyard.loop.mongo_files import MongoFileError
from botyard.loop.parking import Parking
from botyard.loop.personas import FPersonaOutput
from botyard.loop.shutdown import Shutdown
from botyard.loop.tools import FCloudtoolCall
from flexus_client_kit import ckit_mongo
from flexus_client_kit.ckit_integrations_db import main_loop_integrations_init, static_integrations_load
from flexus_client_kit.integrations.fi_mongo_store import handle_mongo_store
from tests.integration.mongo.mongo import running


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("mongo")) as address:
        yield address


@pytest.fixture
async def files(address: str, request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    client: AsyncMongoClient[Any] = AsyncMongoClient(address)
    collection = client["nora_db"][request.node.name[:60]]
    yield collection
    await collection.drop()
    await client.close()


@pytest.fixture
def rcx(address: str, tmp_path: Path) -> Iterator[RobotContext]:
    made = RobotContext(
        fclient=None, persona=FPersonaOutput("nora"), workdir=tmp_path, shutdown=Shutdown(), parking=Parking(),
        mongo_uri=address,
    )  # fmt: skip
    token = context._current.set(made)
    yield made
    context._current.reset(token)


async def test_files_are_stored_listed_moved_and_removed(files: Any) -> None:
    await ckit_mongo.mongo_store_file(files, "notes/a.md", b"one")
    await ckit_mongo.mongo_overwrite(files, "notes/a.md", "two")
    await ckit_mongo.mongo_store_file(files, "notes/b.md", b"")
    await ckit_mongo.mongo_store_file(files, "notesx", b"other")
    assert await ckit_mongo.mongo_retrieve_file(files, "notes/a.md") == {"path": "notes/a.md", "data": b"two"}
    assert [file["path"] for file in await ckit_mongo.mongo_ls(files, "notes/")] == ["notes/a.md", "notes/b.md"]
    assert await ckit_mongo.mongo_mv(files, "notes/a.md", "old/a.md")
    assert await ckit_mongo.mongo_rm(files, "notes/b.md")
    assert not await ckit_mongo.mongo_rm(files, "notes/b.md")
    assert [file["path"] for file in await ckit_mongo.mongo_ls(files)] == ["notesx", "old/a.md"]
    assert [file["path"] for file in await ckit_mongo.mongo_ls(files, include_archived=True)] == [
        "notes/b.md",
        "notesx",
        "old/a.md",
    ]


async def test_what_is_too_large_or_there_is_refused(files: Any) -> None:
    with pytest.raises(MongoFileError, match="are allowed"):
        await mongo_files.store(files, "a", b"x" * (mongo_files.MAX_FILE + 1))
    await mongo_files.store(files, "a", b"x" * mongo_files.MAX_FILE)
    with pytest.raises(MongoFileError, match="exists already"):
        await mongo_files.store(files, "a", b"x", replace=False)
    await mongo_files.store(files, "b", b"x")
    with pytest.raises(MongoFileError, match="exists already"):
        await mongo_files.move(files, "a", "b")


async def test_a_file_whose_time_is_over_is_gone(files: Any) -> None:
    await mongo_files.store(files, "old", b"x", keep=-1)
    await mongo_files.store(files, "new", b"x", keep=0)
    assert await mongo_files.retrieve(files, "old") is None
    assert [file.path for file in await mongo_files.listed(files)] == ["new"]
    assert await mongo_files.sweep(files) == 1


async def test_an_expert_keeps_files_in_the_persona_s_own_database(rcx: RobotContext, address: str) -> None:
    call = SimpleNamespace()
    assert await handle_mongo_store(rcx, call, {"op": "list"}) == "There are no files."
    assert (
        await handle_mongo_store(rcx, call, {"op": "save", "args": {"path": "a.md", "content": "Hi"}})
        == "a.md is saved."
    )
    assert await handle_mongo_store(rcx, call, {"op": "cat", "args": {"path": "a.md", "offset": 1}}) == "i"
    assert await handle_mongo_store(rcx, call, {"op": "delete", "args": {"path": "a.md"}}) == "a.md is deleted."
    assert (await handle_mongo_store(rcx, call, {"op": "cat", "args": {"path": "a.md"}})).startswith(
        "Error: there is no"
    )
    assert (await handle_mongo_store(rcx, call, {"op": "save"})).startswith("Error: args lacks 'path'")
    collection = rcx.personal_mongo["personal_mongo"]
    assert await handle_mongo_store("/tmp", collection, call, {"op": "list"}) == "There are no files."
    await rcx.personal_mongo.client.close()


async def test_the_address_is_the_persona_s_own_and_no_other_s(rcx: RobotContext, address: str) -> None:
    assert await ckit_mongo.mongo_fetch_creds(None, "nora") == address
    with pytest.raises(RuntimeError, match="not that of oslo"):
        await ckit_mongo.mongo_fetch_creds(None, "oslo")


async def test_the_integration_keeps_files_by_calls_of_its_tool(rcx: RobotContext, address: str) -> None:
    """As an expert calls it: through the integration that a bot asked for by name."""
    [record] = static_integrations_load(".", ["mongo_store"])
    await main_loop_integrations_init([record], rcx, {})
    call = FCloudtoolCall("t1.2.0", "t1", "mongo_store", '{"op": "save", "args": {"path": "b.md", "content": "Ho"}}')
    handler = rcx._on_call["mongo_store"]
    assert (await run_call(handler, call)).content == "b.md is saved."
    call.fcall_arguments = '{"op": "cat", "args": {"path": "b.md"}}'
    assert (await run_call(handler, call)).content == "Ho"
    await rcx.personal_mongo.client.close()
