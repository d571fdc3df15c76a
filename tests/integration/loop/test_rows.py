"""Bots read and write the company's database: with their Persona's role, once, whatever is killed when."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from botyard.contract.persona import PersonaConfig, PersonaSecrets
from tests.integration.erp.conftest import nora, owner, server
from tests.integration.loop.test_personas import Clerk
from tests.integration.runtime.conftest import MakeBot

__all__ = ["nora", "owner", "server"]

BOT = """
import asyncio, os, sys
from pathlib import Path
from botyard import erp
from botyard.loop.errors import PlatformError
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_erp, ckit_shutdown, erp_schema
from gql.transport.exceptions import TransportQueryError

from botyard.runtime.worker import WorkerIO as WORKERS
REAL = WORKERS.database


async def main_loop(fclient, rcx):
    folder = Path(rcx.workdir)

    def note(text):
        with (folder / "journal").open("a") as file:
            file.write(text + "\\n")

    async def dying(self, do, args, key):
        answer = await REAL(self, do, args, key)
        if (folder / "die").exists() and do == "create":
            (folder / "die").unlink()
            os._exit(9)
        return answer

    if rcx.persona.persona_id == "nora":
        WORKERS.database = dying
    try:
        machines = await erp.query("machine")
        note(f"begins with {len(machines)}")
    except PlatformError as error:
        note(f"begins without: {error.code}")

    @rcx.on_updated_task
    async def on_task(task):
        do, details = task.ktask_title, task.ktask_details
        try:
            if do == "create":
                row = await erp.create("machine", {"name": details["name"], "price": "5.10"})
                changes = {"price": {"$increment": 1}, "vip": True}
                row = await erp.patch("machine", row.id, changes, expected={"revision": 1})
                note(f"{row.name} {row.price + 1} {row.since} {row.vip}")
            elif do == "kit":
                made = await ckit_erp.create_erp_record(
                    fclient, "crm_contact", rcx.persona.ws_id,
                    erp_schema.CrmContact(contact_id="c1", contact_first_name="Ada", contact_tags=["new"]))
                done = await ckit_erp.patch_erp_record(
                    fclient, "crm_contact", rcx.persona.ws_id, "c1", {"contact_notes": "called", "contact_email": None})
                found = await ckit_erp.query_erp_table(
                    fclient, "crm_contact", rcx.persona.ws_id, erp_schema.CrmContact,
                    filters=["contact_tags:contains:new"])
                note(f"{made} {done} {[type(row).__name__ + ' ' + row.contact_notes for row in found]}")
                many = await ckit_erp.batch_upsert_erp_records(
                    fclient, "crm_contact", rcx.persona.ws_id, "contact_id",
                    [{"contact_id": "c1", "contact_first_name": "Eve"}, {"contact_id": "c2"}])
                note(f"{many} {await ckit_erp.delete_erp_record(fclient, 'crm_contact', rcx.persona.ws_id, 'c2')}")
                await erp.archive("crm_contact", "c1", expected={"contact_first_name": "Eve"})
            elif do == "wrong":
                try:
                    await ckit_erp.patch_erp_record(fclient, "machine", "", 99, {"name": "x"})
                except TransportQueryError as error:
                    note(f"kit: {error}")
                await erp.patch("machine", 99, {"name": "x"})
        except PlatformError as error:
            note(f"{error.code}: {error}")

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    fclient = ckit_client.FlexusClient(ckit_client.bot_service_name("clerk", "1.0.0"))
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        fclient, marketable_name="clerk", marketable_version_str="1.0.0", bot_main_loop=main_loop, inprocess_tools=[]))
"""
NORA = PersonaConfig(name="nora", secrets_version="1", max_in_progress=1)
SCHEMA = """
tables:
  machine:
    key: id
    archived: gone_at
    version: revision
    columns: {id: integer, name: text, price: decimal, since: timestamp, vip: boolean, gone_at: timestamp,
      revision: integer}
"""


@pytest.fixture
async def clerk(make_bot: MakeBot, tmp_path: Path, nora: str) -> AsyncIterator[Clerk]:
    clerk = Clerk(make_bot, NORA, PersonaConfig(name="oslo"), workdirs=tmp_path / "work", code=BOT)
    clerk.bot.files["persona-secrets/nora.json"] = PersonaSecrets(database=nora).to_json()
    clerk.bot.files["bundle/erp_schema.yaml"] = SCHEMA
    clerk.bot.write()
    yield clerk
    clerk.bot.stop()  # Before the database is emptied and ends.


async def task(clerk: Clerk, id: str, title: str, **details: Any) -> None:  # noqa: A002
    await clerk.post("nora", action="task.create", id=id, ktask_title=title, ktask_details=details)


def rows(owner: psycopg.Connection, query: str) -> list[Any]:
    return owner.execute(query).fetchall()  # type: ignore[call-overload,no-any-return]


async def test_a_handler_s_rows_are_typed_and_recorded_with_its_turn(clerk: Clerk, owner: psycopg.Connection) -> None:
    await clerk.start()
    await task(clerk, "t1", "create", name="drill")
    await clerk.until(lambda: len(clerk.journal("nora")) == 2)
    assert clerk.journal("nora") == ["begins with 0", "drill 7.10 None True"]
    assert clerk.journal("oslo") == ["begins without: NoDatabase"]
    (created, changed) = rows(
        owner,
        "SELECT namespace, bot, persona, task, turn, event, action, after ->> 'price' FROM botyard_audit ORDER BY id",
    )
    assert created[:4] == ("shop", "echo", "nora", "t1")
    assert created[4].startswith("turn")
    assert (created[6:], changed[6:]) == (("INSERT", "5.10"), ("UPDATE", "6.10"))
    assert created[4:6] == changed[4:6]


async def test_functions_of_the_kit_work_against_the_database(clerk: Clerk, owner: psycopg.Connection) -> None:
    await clerk.start()
    await task(clerk, "t1", "kit")
    await clerk.until(lambda: bool(rows(owner, "SELECT 1 FROM botyard_audit WHERE action = 'ARCHIVE'")))
    assert clerk.journal("nora")[1:] == [
        "c1 True ['CrmContact called']",
        "{'created': 1, 'updated': 1, 'ids': ['c1', 'c2']} True",
    ]
    (row,) = rows(owner, "SELECT contact_id, contact_first_name, contact_archived_ts > 1e9 FROM crm_contact")
    assert row == ("c1", "Eve", True)


async def test_what_is_refused_is_told_in_the_bot_s_own_terms(clerk: Clerk, owner: psycopg.Connection) -> None:
    await clerk.start()
    await task(clerk, "t1", "wrong")
    await clerk.until(lambda: len(clerk.journal("nora")) == 3)
    assert clerk.journal("nora")[1:] == ["kit: machine has no row 99", "NotFound: machine has no row 99"]


async def test_a_worker_that_dies_after_the_write_and_before_its_journal_does_not_write_twice(
    clerk: Clerk, owner: psycopg.Connection
) -> None:
    await clerk.start()
    (clerk.workdirs / "nora" / "die").touch()
    await task(clerk, "t1", "create", name="drill")
    await clerk.until(lambda: "drill 7.10 None True" in clerk.journal("nora"))
    assert not (clerk.workdirs / "nora" / "die").exists()
    assert rows(owner, "SELECT name, price::text FROM machine") == [("drill", "6.10")]
    assert [action for (action,) in rows(owner, "SELECT action FROM botyard_audit ORDER BY id")] == ["INSERT", "UPDATE"]


async def test_each_write_happens_once_where_replicas_are_killed(clerk: Clerk, owner: psycopg.Connection) -> None:
    first, _ = await clerk.start(2)
    for number in range(60):
        await task(clerk, f"t{number}", "create", name=f"m{number}")
    await clerk.until(lambda: rows(owner, "SELECT count(*) > 5 FROM machine") == [(True,)])
    first.kill()
    await clerk.until(lambda: rows(owner, "SELECT count(*) FROM machine WHERE price = 6.10") == [(60,)])
    await clerk.bot.finished(61, ":nora")
    assert rows(owner, "SELECT count(*), count(DISTINCT name) FROM machine") == [(60, 60)]
    assert rows(owner, "SELECT action, count(*) FROM botyard_audit GROUP BY 1 ORDER BY 1") == [
        ("INSERT", 60),
        ("UPDATE", 60),
    ]


async def test_no_worker_ever_has_the_address(clerk: Clerk, owner: psycopg.Connection) -> None:
    clerk.bot.code = clerk.bot.code.replace(
        'note(f"begins with {len(machines)}")',
        "import gc; note('begins ' + str(any('gei' + 'heim' in text for text in gc_texts())))",
    ).replace(
        "async def main_loop",
        "def gc_texts():\n    import gc, os\n"
        "    return [*os.environ.values(), *map(repr, gc.get_objects())]\n\n\nasync def main_loop",
        1,
    )
    clerk.bot.write()
    await clerk.start()
    await clerk.until(lambda: bool(clerk.journal("nora")))
    assert clerk.journal("nora") == ["begins False"]
    assert not any("geheim" in replica.log.read_text() for replica in clerk.bot.replicas)
