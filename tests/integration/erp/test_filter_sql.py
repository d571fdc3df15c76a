"""A filter means the same to PostgreSQL as it means for the row in memory, whatever is in the row."""

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from botyard.erp import filters
from botyard.erp.filter_language import WITH_VALUE, WITHOUT_VALUE, read
from botyard.erp.filter_sql import Parameters
from botyard.erp.store import statements
from botyard.erp.store.catalog import Catalog
from botyard.erp.store.database import Databases

TABLE = """
DROP TABLE IF EXISTS probe;
CREATE TABLE probe (
    t text, v varchar(60), i integer, b bigint, n numeric, f double precision, x boolean, j jsonb, a text[],
    m integer[], d date, z timestamptz
)
"""
LETTERS = "aAbBzZ09 .%_\\-+eE,ÄäßéİıſΣςσ'\"日"
WORDS = st.one_of(
    st.text(LETTERS, max_size=6),
    st.sampled_from(["", "5", "5.0", "05", ".5", "5.", "1e3", "-3", "true", "T", "f", "NaN", "Infinity", "null", "[]"]),
    st.integers(-12, 12).map(str),
)
NUMBERS = st.one_of(st.integers(-12, 12), st.sampled_from([10**9, -(10**9)]))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.sampled_from([0.1, -2.5, 5.0, 1e21])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "0", "5"]), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.fixed_dictionaries(
    {
        "t": st.none() | WORDS,
        "v": st.none() | WORDS,
        "i": st.none() | NUMBERS,
        "b": st.none() | NUMBERS,
        "n": st.none() | st.decimals(-12, 12, places=2) | st.just(Decimal("NaN")),
        "f": st.none() | st.sampled_from([0.1, -2.5, 5.0, 1e21, 3.0]),
        "x": st.none() | st.booleans(),
        "j": JSON,
        "a": st.none() | st.lists(WORDS, max_size=3),
        "m": st.none() | st.lists(NUMBERS, max_size=3),
        "d": st.none() | st.dates(min_value=dt.date(1999, 1, 1)),
        "z": st.none() | st.datetimes(min_value=dt.datetime(1999, 1, 1)),
    }
)
COLUMNS = [*"tvibnfxjamdz", "j->a", "j->0", "j->a->0", "t->a", "a->0", "m->1"]
CONDITIONS = st.one_of(
    st.builds("{}:{}:{}".format, st.sampled_from(COLUMNS), st.sampled_from(WITH_VALUE), WORDS),
    st.builds("{}:{}:{}".format, st.sampled_from(COLUMNS), st.just("IN"), st.lists(WORDS, max_size=3).map(",".join)),
    st.builds("{}:{}".format, st.sampled_from(COLUMNS), st.sampled_from(WITHOUT_VALUE)),
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.builds(lambda parts: {"OR": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda part: {"NOT": part}, inner),
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def probe(server: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(TABLE)
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.fixture
async def table(probe: psycopg.Connection, server: str) -> Any:
    databases = Databases()
    async with (await databases.at(server)).connection() as connection:
        found = await Catalog().table(connection, "probe")
    await databases.close()
    return found


@given(row=ROWS, conditions=st.lists(FILTERS, min_size=1, max_size=8))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_sql_and_memory_agree(
    probe: psycopg.Connection, table: Any, row: dict[str, Any], conditions: list[Any]
) -> None:
    values = row | {"j": Jsonb(row["j"])}
    columns, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
    with probe.transaction(force_rollback=True):
        probe.execute(f"INSERT INTO probe ({columns}) VALUES ({places})", values)
        (text,) = probe.execute("SELECT to_jsonb(probe)::text FROM probe").fetchone() or ("",)
        kept = json.loads(text, parse_float=Decimal)
        # Of what is no number a numeric column has the text; it equals nothing.
        kept["n"] = None if kept["n"] is None else Decimal(str(kept["n"]))
        for condition in conditions:
            for written in (condition, {"NOT": condition}):
                parameters = Parameters()
                query = statements.select(
                    table, table.readable, read(written), (), 10, 0, parameters, any_case="und-x-icu"
                )
                found = probe.execute(query, parameters.values).fetchall()
                assert bool(found) == filters.parse(written)(kept), (written, text)


def test_whole_numbers_and_texts_are_found_by_their_indexes(probe: psycopg.Connection, table: Any) -> None:
    with probe.transaction(force_rollback=True):
        probe.execute("CREATE INDEX ON probe (i); CREATE INDEX ON probe (t); SET LOCAL enable_seqscan = off")
        for condition in ("i:=:5", "i:>:5", "i:IN:5,6", "t:=:five", "t:IN:five,six"):
            parameters = Parameters()
            query = statements.select(table, table.readable, read([condition]), (), 10, 0, parameters, any_case="")
            plan = probe.execute(psycopg.sql.SQL("EXPLAIN {}").format(query), parameters.values).fetchall()
            assert any("Index Cond" in line for (line,) in plan), (condition, plan)
