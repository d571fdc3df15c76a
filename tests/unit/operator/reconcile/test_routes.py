"""The routing table over several ConfigMaps."""

import asyncio
from functools import partial

import pytest

from botyard.contract import names
from botyard.contract.routes import Routes
from botyard_operator.reconcile import routes
from botyard_operator.reconcile.base import Key
from botyard_operator.reconcile.persona_shards import ShardReader
from botyard_operator.reconcile.route_shards import divide
from botyard_operator.reconcile.routes import RoutesReconciler
from tests.unit.operator.reconcile.offline import Object, Space

TABLE = Key(routes.KIND, "botyard", routes.NAME)


class Table:
    """The routes of a namespace with many Bots."""

    def __init__(self, bots: int) -> None:
        self.space = Space(1)
        self.reconciler = RoutesReconciler(ShardReader())
        for number in range(bots):
            self.bot(f"bot-{number}")

    def bot(self, name: str, **spec: object) -> None:
        metadata = {"name": name, "namespace": "shop", "uid": name, "generation": 1}
        self.space.cluster._hold({"kind": "Bot", "metadata": metadata, "spec": {"bundleRef": {"name": "b"}, **spec}})

    def write(self) -> list[str]:
        """Reconcile after a while; return the names of what was written, in order."""
        self.space.clock.seconds += 60
        before = len(self.space.cluster.applied)
        asyncio.run(self.reconciler.reconcile(TABLE, self.space.context))
        return [obj["metadata"]["name"] for obj in self.space.cluster.applied[before:]]

    async def stored(self, key: Key) -> Object | None:
        """Return what was applied last: caches hold such ConfigMaps without their data."""
        applied = [obj for obj in self.space.cluster.applied if obj["metadata"]["name"] == key.name]
        held = self.space.cluster.caches.get(key.kind, key.namespace, key.name)
        return {**held, "data": applied[-1]["data"]} if held is not None else None

    def shard(self, number: int) -> Routes:
        obj = asyncio.run(self.stored(Key("ConfigMap", "botyard", names.routes_name(number))))
        assert obj is not None
        return Routes.model_validate_json(obj["data"][names.ROUTES_FILE])

    @property
    def bots(self) -> set[str]:
        return {route.name for number in range(self.shard(0).shards) for route in self.shard(number).routes}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setattr(routes, "divide", partial(divide, limit=2_000))
    table = Table(40)
    monkeypatch.setattr(table.space.cluster, "get", table.stored)
    return table


def test_the_shards_are_written_before_the_first_one_tells_of_them(table: Table) -> None:
    written = table.write()
    assert len(written) > 1
    assert written[-1] == "botyard-routes"
    assert table.shard(0).shards == len(written)
    assert {f"bot-{number}" for number in range(40)} <= table.bots
    assert table.write() == []


def test_a_change_of_one_bot_writes_one_shard(table: Table) -> None:
    table.write()
    table.bot("bot-7", events={"allow": ["chat.step"]})
    assert len(table.write()) == 1


def test_an_operator_that_starts_anew_writes_nothing(table: Table) -> None:
    table.write()
    table.reconciler = RoutesReconciler(ShardReader())
    assert table.write() == []


def test_a_table_that_became_small_is_one_config_map_again_and_the_others_are_emptied(table: Table) -> None:
    shards = len(table.write())
    for number in range(1, 40):
        table.space.cluster.caches.remove(Key("Bot", "shop", f"bot-{number}"))
    assert len(table.write()) == shards
    assert table.shard(0).shards == 1
    assert table.bots == {"bot-0", "clerk"}
    assert table.shard(1).routes == ()
    assert table.write() == []
