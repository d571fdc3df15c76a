"""Changed rows at the handlers of real replicas: typed, in order, once, also where processes end."""

import json
from pathlib import Path

import pytest

from botyard.contract.erp import ErpSubscription, together
from botyard.contract.persona import PersonaConfig
from botyard.contract.routes import Route
from botyard.core.change_inbox import ChangeInbox, PartitionBatch
from botyard.core.inbox import Inbox
from botyard.erp.changes import Change
from botyard.erp.delivery import Delivered, Delivery
from botyard.erp.routing import RoutingPlan
from tests.integration.loop.test_personas import Clerk
from tests.integration.runtime.conftest import MakeBot

BOT = """
import asyncio, os
from pathlib import Path
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown


async def main_loop(fclient, rcx):
    journal = Path(rcx.workdir) / "journal"

    def note(text):
        with journal.open("a") as file:
            file.write(text + "\\n")

    @rcx.on_erp_change("crm_deal")
    async def on_deal(action, new_record, old_record):
        if new_record is not None and new_record.deal_name == "die" and not (Path(rcx.workdir) / "died").exists():
            (Path(rcx.workdir) / "died").touch()
            os._exit(9)
        if new_record is not None and new_record.deal_name == "raise":
            note("raises")
            raise KeyError("of the bot")
        row = new_record or old_record
        before = None if old_record is None else old_record.deal_value + 1
        note(f"{action} {row.deal_name} {row.deal_value * 2} {before} {getattr(row, 'deal_mood', '-')}")

    @rcx.on_erp_change("our_own")
    async def on_own(action, new_record, old_record):
        note(f"{action} {new_record.colour}")

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    fclient = ckit_client.FlexusClient(ckit_client.bot_service_name("clerk", "1.0.0"))
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        fclient, marketable_name="clerk", marketable_version_str="1.0.0", bot_main_loop=main_loop, inprocess_tools=[],
        subscribe_to_erp_tables=["crm_deal", "our_own"]))
"""
NORA = PersonaConfig(name="nora")
OSLO = PersonaConfig(name="oslo")
WISHES = {
    "nora": (ErpSubscription(table="crm_deal"), ErpSubscription(table="our_own")),
    "oslo": (ErpSubscription(table="crm_deal", where=("deal_value:>:100",)),),
}


@pytest.fixture
def clerk(make_bot: MakeBot, tmp_path: Path) -> Clerk:
    return Clerk(make_bot, NORA, OSLO, workdirs=tmp_path / "work", code=BOT)


async def deliver(clerk: Clerk, *changes: Change, table: str = "crm_deal") -> Delivered:
    """Send changes as the gateway does."""
    address = clerk.bot.address
    route = Route(
        namespace=address.namespace, name=address.name, partitions=address.partitions, subscriptions=together(WISHES)
    )

    async def awake(route: Route) -> None:
        pass

    done = Delivered()
    await Delivery(Inbox(clerk.bot.redis), awake).deliver(RoutingPlan([route]), table, changes, done)
    return done


def deal(name: str, value: str = "5.10", **more: str) -> dict[str, str]:
    return {"deal_id": "1", "deal_name": name, "deal_value": value, **more}


async def test_rows_are_typed_and_each_change_is_seen(clerk: Clerk) -> None:
    await clerk.start()
    done = await deliver(
        clerk,
        Change(action="INSERT", new=deal("a", deal_mood="good")),
        Change(action="UPDATE", new=deal("b"), old=deal("a")),
        Change(action="UPDATE", new=deal("c", "200"), old=deal("b")),
        Change(action="DELETE", old=deal("c", "200")),
    )
    assert done.deliveries == 6
    await clerk.until(lambda: len(clerk.journal("nora")) == 4 and len(clerk.journal("oslo")) == 2)
    assert clerk.journal("nora") == [
        "INSERT a 10.20 None good",
        "UPDATE b 10.20 6.10 -",
        "UPDATE c 400 6.10 -",
        "DELETE c 400 201 -",
    ]
    assert clerk.journal("oslo") == ["UPDATE c 400 6.10 -", "DELETE c 400 201 -"]


async def test_a_table_of_the_bundle_s_own_has_its_columns(clerk: Clerk) -> None:
    await clerk.start()
    await deliver(clerk, Change(action="INSERT", new={"colour": "red"}), table="our_own")
    await clerk.until(lambda: clerk.journal("nora") == ["INSERT red"])


async def test_a_change_that_kills_the_worker_is_seen_again_and_those_behind_it_wait(clerk: Clerk) -> None:
    await clerk.start()
    names = ("first", "die", "last")
    await deliver(clerk, *(Change(id=name, action="INSERT", new=deal(name)) for name in names))
    await clerk.until(lambda: len(clerk.journal("nora")) == 3)
    assert [line.split()[1] for line in clerk.journal("nora")] == list(names)


async def test_a_handler_that_raises_holds_nobody_up(clerk: Clerk) -> None:
    await clerk.start()
    await deliver(clerk, *(Change(action="INSERT", new=deal(name)) for name in ("raise", "next")))
    await clerk.until(lambda: len(clerk.journal("nora")) == 2)
    assert clerk.journal("nora")[1].startswith("INSERT next")


async def test_an_unreadable_row_is_a_failed_turn_and_the_next_one_is_seen(clerk: Clerk) -> None:
    await clerk.start()
    await deliver(clerk, Change(action="INSERT", new=deal("bad", "much")), Change(action="INSERT", new=deal("good")))
    await clerk.until(lambda: len(clerk.journal("nora")) == 1)
    turns = (await clerk.bot.finished(3, ":nora")).turns
    assert [turn["error"]["kind"] for turn in turns if turn.get("error")] == ["BadRow"]


async def test_changes_that_share_a_turn_are_seen_one_after_the_other(clerk: Clerk) -> None:
    await clerk.start()
    partition = clerk.bot.address.partition(":nora")
    names = [f"n{number}" for number in range(20)]
    rows = [deal(name) for name in names]
    rows[7] = deal("bad", "much")
    batch = PartitionBatch()
    for number, new in enumerate(rows):
        content = {"table": "crm_deal", "change": "INSERT", "new": new, "old": None}
        batch.changes.append((f"{number:04}", json.dumps(content)))
    batch.events.append((":nora", list(range(20))))
    taken = await ChangeInbox(clerk.bot.redis).accept(partition, source="s", reached="0019", batch=batch)
    assert (taken.events, taken.stored) == (1, 20)
    await clerk.until(lambda: len(clerk.journal("nora")) == 19)
    assert [line.split()[1] for line in clerk.journal("nora")] == [name for name in names if name != "n7"]
    [refused] = [each for each in await clerk.bot.heard(":nora") if each["type"] == "erp.refused"]
    assert "much" in refused["data"]["message"]


async def test_nothing_is_lost_or_doubled_where_a_replica_is_killed(clerk: Clerk) -> None:
    first, _ = await clerk.start(2)
    changes = [Change(id=str(number), action="INSERT", new=deal(f"n{number}")) for number in range(200)]
    await deliver(clerk, *changes[:100])
    await clerk.until(lambda: len(clerk.journal("nora")) > 10)
    first.kill()
    await deliver(clerk, *changes)
    await clerk.bot.finished(201, ":nora")
    seen = [line.split()[1] for line in clerk.journal("nora")]
    # A handler may see a change again whose turn was not committed; the order stays, and none is missing.
    assert list(dict.fromkeys(seen)) == [f"n{number}" for number in range(200)]
    assert len(seen) <= 201
