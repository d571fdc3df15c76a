"""A PostgreSQL for all tests of this folder, a database for each of them."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.integration.connector.postgres import PostgresServer, running_postgres
from tests.integration.connector.shop import CONTACTS, Shop
from tests.integration.redis.server import RedisServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture
async def shop(
    postgres: PostgresServer, redis_client: Redis, redis_server: RedisServer, tmp_path: Path
) -> AsyncIterator[Shop]:
    """A database with a table `crm_contact`."""
    name = f"shop_{next(_numbers)}"
    postgres.make_database(name)
    made = Shop(postgres, name, redis_client, redis_server.url, tmp_path / "shop")
    made.run(CONTACTS)
    yield made
    await made.end()
    postgres.drop_database(name)
