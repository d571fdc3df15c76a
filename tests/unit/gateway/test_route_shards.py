"""Shards of the routing table become whole tables, never parts of one."""

import pytest

from botyard.contract.routes import Route, Routes
from botyard.gateway.route_shards import RouteShards
from botyard.gateway.routes import RoutingTable


def shard(*names: str, of: int = 1) -> Routes:
    return Routes(routes=tuple(Route(namespace="shop", name=name) for name in names), shards=of)


@pytest.fixture
def table() -> RoutingTable:
    return RoutingTable()


@pytest.fixture
def shards(table: RoutingTable) -> RouteShards:
    return RouteShards(table)


def bots(table: RoutingTable) -> list[str]:
    return [route.name for route in table]


def test_one_shard_is_the_table(table: RoutingTable, shards: RouteShards) -> None:
    shards.put(0, shard("a", "b"))
    assert bots(table) == ["a", "b"]


def test_a_table_is_loaded_when_all_its_shards_are_there(table: RoutingTable, shards: RouteShards) -> None:
    shards.put(0, shard("a", of=2))
    assert shards.wanted == 2
    assert not table.loaded
    shards.put(1, shard("b", of=2))
    assert bots(table) == ["a", "b"]
    shards.put(1, shard("b", "c", of=2))
    assert bots(table) == ["a", "b", "c"]


@pytest.mark.parametrize("grows", [True, False])
def test_between_two_divisions_the_old_table_stays(table: RoutingTable, shards: RouteShards, grows: bool) -> None:
    narrow, wide = [shard("a", "b", "c", "d")], [shard("a", "c", of=2), shard("b", "d", of=2)]
    before, after = (narrow, wide) if grows else (wide, narrow)
    for number, content in enumerate(before):
        shards.put(number, content)
    # As the operator writes them: the first one last.
    for number in reversed(range(len(after))):
        assert bots(table) == ["a", "b", "c", "d"]
        shards.put(number, after[number])
    assert bots(table) == ["a", "b", "c", "d"]


def test_a_shard_that_is_lost_takes_no_bot_away(table: RoutingTable, shards: RouteShards) -> None:
    shards.put(0, shard("a", of=2))
    shards.put(1, shard("b", of=2))
    shards.gone(1)
    shards.put(0, shard("a", "c", of=2))
    assert bots(table) == ["a", "b"]
    shards.put(1, shard("b", of=2))
    assert bots(table) == ["a", "b", "c"]


def test_without_the_first_shard_no_bot_is_routed(table: RoutingTable, shards: RouteShards) -> None:
    shards.put(0, shard("a"))
    shards.gone(0)
    assert table.loaded
    assert bots(table) == []
