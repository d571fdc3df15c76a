"""Integrations against real servers: PostgreSQL, MCP over standard input and over HTTP, HTTP."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from botyard.loop.context import RobotContext
from botyard.loop.integrations.http import Http
from botyard.loop.integrations.mcp import McpServer
from botyard.loop.integrations.postgres import MAX_ROWS, Postgres
from botyard.loop.parking import Parked, Parking
from botyard.loop.personas import FPersonaOutput
from botyard.loop.shutdown import Shutdown
from botyard.loop.tasks import FPersonaKanbanTaskOutput
from botyard.loop.tools import FCloudtoolCall, ToolResult
from flexus_client_kit.ckit_integrations_db import main_loop_integrations_init, static_integrations_load
from flexus_client_kit.integrations.fi_mcp import mcp_launch, mcp_setup_schema, mcp_tools
from flexus_client_kit.integrations.fi_postgres import POSTGRES_TOOL, IntegrationPostgres
from tests.integration.apiserver.processes import free_ports
from tests.integration.loop.servers import postgres as postgresql

SERVER = str(Path(__file__).parent / "servers" / "mcp_server.py")
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def rcx(tmp_path: Path) -> RobotContext:
    parking = Parking()
    parking.attach(asyncio.get_running_loop())
    persona = FPersonaOutput("nora")
    return RobotContext(fclient=None, persona=persona, workdir=tmp_path, shutdown=Shutdown(), parking=parking)


async def call(rcx: RobotContext, called: str, /, **arguments: Any) -> tuple[str, Parked]:
    """The model calls a tool; return what it reads, and the event."""
    event = Parked("call", (FCloudtoolCall("c1", "t1", called, json.dumps(arguments)),), "e1", called)
    rcx._parking.park(event)
    await rcx.unpark_collected_events(0)
    return event.done.result().content, event


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    (port,) = free_ports(1)
    with postgresql.serving(port) as address:
        yield address


class TestPostgres:
    @pytest.fixture
    async def database(self, address: str) -> AsyncIterator[Postgres]:
        writing = Postgres(address, writes=True)
        await writing.ask("DROP TABLE IF EXISTS bikes")
        await writing.ask("CREATE TABLE bikes (id int PRIMARY KEY, name text, price numeric, sold timestamptz)")
        await writing.ask("INSERT INTO bikes VALUES (1, 'Ada', 99.50, now()), (2, 'Öl', NULL, NULL)")
        yield writing
        await writing.close()

    async def test_a_question_is_answered_with_rows(self, database: Postgres, address: str) -> None:
        said = await IntegrationPostgres(None, None, address=address).called_by_model(
            None, {"query": "SELECT id, name, price FROM bikes ORDER BY id"}
        )
        assert json.loads(said) == {
            "columns": ["id", "name", "price"], "rows": [[1, "Ada", "99.50"], [2, "Öl", None]], "more": False,
        }  # fmt: skip

    async def test_nothing_is_written_unless_the_setup_says_so(
        self, database: Postgres, address: str, rcx: RobotContext
    ) -> None:
        records = static_integrations_load(rcx.workdir, ["postgres"])
        assert records[0].integr_tools == [POSTGRES_TOOL]
        await main_loop_integrations_init(records, rcx, {"POSTGRES_URI": address})
        said, _ = await call(rcx, "postgres", query="DELETE FROM bikes")
        assert said.startswith("Error: ReadOnlySQLTransactionError")
        await main_loop_integrations_init(records, rcx, {"POSTGRES_URI": address, "postgres_writes": True})
        assert await call(rcx, "postgres", query="DELETE FROM bikes WHERE id = 2") != said
        assert (await database.ask("SELECT count(*) FROM bikes"))["rows"] == [[1]]

    async def test_a_wrong_statement_is_told_and_the_next_one_works(self, database: Postgres) -> None:
        assert "syntax error" in await database.called_by_model(None, {"query": "SELEKT 1"})
        assert "query is empty" in await database.called_by_model(None, {"query": ""})
        assert (await database.ask("SELECT 1 AS one"))["rows"] == [[1]]

    async def test_more_rows_than_a_model_reads_are_left_out(self, database: Postgres) -> None:
        found = await database.ask("SELECT generate_series(1, 100000)")
        assert (len(found["rows"]), found["more"]) == (MAX_ROWS, True)

    async def test_a_lost_connection_is_made_anew(self, database: Postgres, address: str) -> None:
        other = Postgres(address)
        (((pid,),)) = ((await other.ask("SELECT pg_backend_pid()"))["rows"],)
        await database.ask(f"SELECT pg_terminate_backend({pid[0]})")
        said = [await other.called_by_model(None, {"query": "SELECT 1"}) for _ in range(2)]
        assert '"rows": [[1]]' in said[-1]

    async def test_one_that_is_not_there_or_not_declared_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("POSTGRES_URI", raising=False)
        assert "postgres is not connected" in await Postgres().called_by_model(None, {"query": "SELECT 1"})
        (port,) = free_ports(1)
        said = await Postgres(f"postgresql://a@127.0.0.1:{port}/b").called_by_model(None, {"query": "SELECT 1"})
        assert said.startswith("Error: the database cannot be reached")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    (port,) = free_ports(1)
    process = subprocess.Popen([sys.executable, SERVER, str(port)], stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/mcp"
    try:
        for _ in range(1200):
            try:
                httpx.get(url, timeout=60, trust_env=False)
                break
            except httpx.TransportError:
                assert process.poll() is None
        yield url
    finally:
        process.terminate()
        process.wait(60)


class TestMcp:
    @pytest.fixture
    async def stdio(self) -> AsyncIterator[McpServer]:
        server = McpServer("shelf", command=f"{sys.executable} {SERVER}")
        yield server
        await server.close()

    async def test_its_tools_are_listed_and_called_over_standard_input(self, stdio: McpServer) -> None:
        listed = await stdio.called_by_model(None, {"op": "help"})
        assert isinstance(listed, str)
        assert "add: Add two numbers." in listed
        assert await stdio.called_by_model(None, {"op": "call", "tool": "add", "args": {"a": 2, "b": 3}}) == "5"

    async def test_the_same_over_http(self, url: str, rcx: RobotContext) -> None:
        servers = await mcp_launch(["shelf"], rcx, {"mcp_shelf_url": url})
        said, _ = await call(rcx, "mcp_shelf", op="call", tool="add", args={"a": 20, "b": 3})
        assert said == "23"
        await servers["shelf"].close()

    async def test_what_a_tool_refuses_is_told(self, stdio: McpServer) -> None:
        said = await stdio.called_by_model(None, {"op": "call", "tool": "fail", "args": {}})
        assert isinstance(said, str)
        assert said.startswith("Error")
        assert "fail" in said
        said = await stdio.called_by_model(None, {"op": "call", "tool": "nothing", "args": {}})
        assert str(said).startswith("Error")
        assert await stdio.called_by_model(None, {"op": "call", "tool": "add", "args": {"a": 1, "b": 1}}) == "2"

    async def test_pictures_come_as_parts(self, stdio: McpServer) -> None:
        said = await stdio.called_by_model(None, {"op": "call", "tool": "picture"})
        assert isinstance(said, ToolResult)
        assert said.multimodal == [{"m_type": "image/png", "m_content": "iVBORw=="}]

    async def test_a_server_that_ends_is_started_anew(self, stdio: McpServer) -> None:
        said = await stdio.called_by_model(None, {"op": "call", "tool": "end"})
        assert str(said).startswith("Error: mcp_shelf")
        assert await stdio.called_by_model(None, {"op": "call", "tool": "add", "args": {"a": 1, "b": 2}}) == "3"

    async def test_it_gets_none_of_the_bots_credentials(
        self, stdio: McpServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PAYMENT_KEY", "s3cret")
        assert await stdio.called_by_model(None, {"op": "call", "tool": "environment"}) == "nothing"

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({}, "mcp_x is not connected: the setup needs mcp_x_url or mcp_x_command"),
            ({"command": "/no/such/program"}, "mcp_x cannot be used"),
            ({"command": "false"}, "mcp_x cannot be used"),
            ({"url": "http://127.0.0.1:9/mcp"}, "mcp_x cannot be used"),
        ],
        ids=["not-declared", "no-program", "ends-at-once", "nobody-there"],
    )
    async def test_one_that_cannot_be_used_says_so_and_the_bot_goes_on(self, given: dict[str, str], said: str) -> None:
        server = McpServer("x", **given)
        assert said in str(await server.called_by_model(None, {"op": "help"}))
        await server.close()

    async def test_setup_and_tools_are_named_after_the_servers(self) -> None:
        assert [tool.name for tool in mcp_tools(["a", "b"])] == ["mcp_a", "mcp_b"]
        assert {key["bs_name"] for key in mcp_setup_schema(["a"])} == {"mcp_a_url", "mcp_a_command", "mcp_a_token"}


class TestHttp:
    @pytest.fixture
    async def host(self) -> AsyncIterator[str]:
        async def echo(request: web.Request) -> web.Response:
            if request.path == "/away":
                raise web.HTTPFound("http://169.254.169.254/latest")
            if request.path == "/long":
                return web.Response(text="x" * 500_000)
            return web.json_response({"said": await request.text(), "key": request.headers.get("X-Key")})

        app = web.Application()
        app.router.add_route("*", "/{any:.*}", echo)
        runner = web.AppRunner(app)
        await runner.setup()
        (port,) = free_ports(1)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"127.0.0.1:{port}"
        await runner.cleanup()

    async def test_a_host_that_the_bot_names_is_called_with_its_headers(self, host: str, rcx: RobotContext) -> None:
        records = static_integrations_load(rcx.workdir, [f"http[{host}]"])
        await main_loop_integrations_init(records, rcx, {"http_headers": "X-Key: s3cret"})
        said, _ = await call(rcx, "http", method="POST", url=f"http://{host}/a", body={"b": 1})
        answer = json.loads(said)
        assert answer["status"] == 200
        assert json.loads(answer["body"]) == {"said": '{"b": 1}', "key": "s3cret"}

    @pytest.mark.parametrize(
        "url", ["http://example.com/", "http://127.0.0.1:1/", "file:///etc/passwd", "http://u@HOST/", "http://[::1", ""]
    )
    async def test_others_are_not(self, host: str, url: str) -> None:
        said = await Http([host]).called_by_model(None, {"url": url.replace("HOST", host)})
        assert said.startswith("Error: ")

    async def test_a_redirection_is_shown_and_not_followed(self, host: str) -> None:
        said = json.loads(await Http([host]).called_by_model(None, {"url": f"http://{host}/away"}))
        assert (said["status"], said["headers"]["Location"]) == (302, "http://169.254.169.254/latest")

    async def test_a_long_body_is_cut(self, host: str) -> None:
        said = json.loads(await Http([host]).called_by_model(None, {"url": f"http://{host}/long"}))
        assert len(said["body"]) == 200_000
        assert "left_out" in said

    async def test_nobody_there_is_told(self) -> None:
        assert "cannot be called" in await Http(["127.0.0.1:9"]).called_by_model(None, {"url": "http://127.0.0.1:9/"})
        assert "http is not connected" in await Http([]).called_by_model(None, {"url": "https://example.com/"})


class TestKanban:
    async def test_an_expert_lists_creates_and_moves_tasks(self, rcx: RobotContext) -> None:
        await main_loop_integrations_init(static_integrations_load(rcx.workdir, ["kanban"]), rcx, {})
        rcx.latest_tasks["t1"] = FPersonaKanbanTaskOutput("t1", persona_id="nora", ktask_title="Call Ada")
        assert '"title": "Call Ada"' in (await call(rcx, "kanban", op="list"))[0]
        said, event = await call(rcx, "kanban", op="create", args={"title": "Follow up", "details": {"a": 1}})
        (caused,) = event.done.result().actions
        assert (caused["payload"]["action"], caused["payload"]["ktask_title"]) == ("task.create", "Follow up")
        assert caused["payload"]["id"] in said
        _, event = await call(rcx, "kanban", op="move", args={"id": "t1", "column": "done"})
        assert event.done.result().actions[0]["payload"]["column"] == "done"

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"op": "fly"}, "Columns:"),
            ({"op": "move", "args": {"id": "t9", "column": "done"}}, "there is no task 't9'"),
            ({"op": "list", "args": {"column": "attic"}}, "there is no column 'attic'"),
            ({"op": "create"}, "args lacks 'title'"),
        ],
        ids=["op", "task", "column", "title"],
    )
    async def test_what_cannot_be_done_is_told(self, rcx: RobotContext, arguments: dict[str, Any], said: str) -> None:
        await main_loop_integrations_init(static_integrations_load(rcx.workdir, ["kanban"]), rcx, {})
        assert said in (await call(rcx, "kanban", **arguments))[0]
