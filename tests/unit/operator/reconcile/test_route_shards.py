"""The routing table stays below the API server's limit on sizes, and a Bot in its place."""

from botyard.contract import names
from botyard.contract.routes import Route, Routes
from botyard_operator.reconcile.route_shards import divide


def bots(count: int, *, message: str = "") -> list[Route]:
    return [Route(namespace="shop", name=f"bot-{number:05}", model="fsm", message=message) for number in range(count)]


def read(shards: tuple[str, ...]) -> list[Routes]:
    return [Routes.model_validate_json(shard) for shard in shards]


def test_a_small_table_is_one_config_map() -> None:
    (shard,) = divide(bots(100), 1)
    assert Routes.model_validate_json(shard) == Routes(routes=tuple(bots(100)))


def test_ten_thousand_bots_with_their_troubles_fit() -> None:
    routes = bots(10_000, message="none of 2 replicas is available yet: " + "x" * 263)
    shards = divide(routes, 1)
    assert 1 < len(shards) <= names.ROUTE_SHARDS
    assert max(len(shard.encode()) for shard in shards) < 1_048_576
    found = [route for shard in read(shards) for route in shard.routes]
    assert sorted(found, key=lambda route: route.name) == routes
    assert {shard.shards for shard in read(shards)} == {len(shards)}


def test_a_change_of_one_bot_changes_one_shard() -> None:
    routes = bots(1_000)
    before = divide(routes, 4, limit=20_000)
    routes[500] = routes[500].model_copy(update={"ready": True})
    after = divide(routes, len(before), limit=20_000)
    assert len(before) == len(after) > 1
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1


def test_the_number_of_shards_does_not_go_back_and_forth_around_the_limit() -> None:
    one = len(divide(bots(100), 1)[0])
    assert len(divide(bots(101), 1, limit=one)) == 2
    assert len(divide(bots(100), 2, limit=one)) == 2, "what fits by a hair is left divided"
    assert len(divide(bots(20), 2, limit=one)) == 1


def test_what_fits_nowhere_does_without_messages() -> None:
    routes = bots(100, message="x" * 100)
    shards = read(divide(routes, 1, most=1, limit=10_000))
    assert [route.name for route in shards[0].routes] == [route.name for route in routes]
    assert {route.message for route in shards[0].routes} == {""}
