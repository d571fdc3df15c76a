"""Rows of a real database: read with what the role may see, written once, with the record of who did it."""

import asyncio
from typing import Any

import psycopg
import pytest

from botyard.erp import store
from botyard.erp.store import Actor, Database, Databases, StoreError

ACTOR = Actor("shop", "clerk", "nora", thread="t1", task="k7", turn="turn_1", event="e1")


async def ask(database: Database, do: str, /, **arguments: Any) -> Any:
    asked = store.read(do, arguments)
    assert isinstance(asked, store.Query | store.Get)
    return await (store.query(database, asked) if isinstance(asked, store.Query) else store.get(database, asked))


async def write(database: Database, step: str, do: str, /, **arguments: Any) -> dict[str, Any]:
    asked = store.read(do, arguments)
    assert not isinstance(asked, store.Query | store.Get)
    return await store.write(database, asked, ACTOR, step)


def audit(owner: psycopg.Connection, columns: str = "action, row_id, before, after") -> list[Any]:
    return owner.execute(f"SELECT {columns} FROM botyard_audit ORDER BY id").fetchall()  # type: ignore[call-overload,no-any-return]


class TestReading:
    async def test_rows_come_in_order_page_by_page_with_the_columns_that_were_asked(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        owner.execute("INSERT INTO machine (name, price) SELECT 'm' || n, n FROM generate_series(1, 25) n")
        rows = await ask(
            database, "query", table="machine", where=["price:>:5"], order=["price:desc"], limit=3, columns=["name"]
        )
        assert rows == [{"name": "m25"}, {"name": "m24"}, {"name": "m23"}]
        rows = await ask(database, "query", table="machine", order=["-price"], skip=23, columns=["id"])
        assert rows == [{"id": 2}, {"id": 1}]

    async def test_each_type_comes_so_that_nothing_of_it_is_lost(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        owner.execute(
            "INSERT INTO machine (name, price, exact, weight, count, vip, since, day, feeling, image, prices, details) "
            "VALUES ('a', 5.10, 12345678901234567890.123456789, 0.1, 9007199254740993, true, "
            "'2026-03-29 02:30+02', '2026-02-28', 'good', '\\x00ff', '{1.10,2}', '{\"a\": [1, 2.5, null]}')"
        )
        row = await ask(database, "get", table="machine", id=1)
        assert row == {
            "id": 1,
            "name": "a",
            "price": "5.10",
            "exact": "12345678901234567890.123456789",
            "weight": 0.1,
            "count": 9007199254740993,
            "vip": True,
            "since": "2026-03-29T00:30:00+00:00",
            "day": "2026-02-28",
            "feeling": "good",
            "image": "AP8=",
            "prices": ["1.10", "2"],
            "details": {"a": [1, 2.5, None]},
            "revision": 1,
            "owner": None,
            "gone_at": None,
        }
        # What was read can be written as it is, and is the same.
        row.pop("id")
        copy = await write(database, "copy", "create", table="machine", row=row)
        assert copy["row"] == {**row, "id": 2}

    async def test_a_row_that_is_not_there_is_none(self, database: Database) -> None:
        assert await ask(database, "get", table="machine", id=7) is None
        assert await ask(database, "query", table="crm_contact") == []

    @pytest.mark.parametrize(
        ("do", "arguments", "code", "says"),
        [
            ("query", {"table": "crm_contacts"}, "UnknownTable", "did you mean crm_contact?"),
            ("query", {"table": "no\x00pe"}, "BadRequest", "table"),
            ("query", {"table": "crm_contact; DROP TABLE heap"}, "UnknownTable", "there is no table"),
            ("query", {"table": "machine", "where": ["nam:=:x"]}, "UnknownColumn", "did you mean name?"),
            ("query", {"table": "machine", "where": ["name:is:x"]}, "BadFilter", "is no operator"),
            ("query", {"table": "machine", "order": ["name:up"]}, "BadFilter", "column:desc"),
            ("query", {"table": "machine", "order": ["nam"]}, "UnknownColumn", "did you mean name?"),
            ("query", {"table": "machine", "columns": ["nam"]}, "UnknownColumn", "did you mean name?"),
            ("query", {"table": "machine", "limit": 5000}, "BadRequest", "limit"),
            ("query", {"table": "botyard_audit"}, "NotAllowed", "not theirs"),
            ("get", {"table": "botyard_audit", "id": 1}, "NotAllowed", "not theirs"),
            ("query", {"table": "secret"}, "NotAllowed", "may not read secret"),
            ("get", {"table": "heap", "id": 1}, "NoKey", "has no primary key"),
            ("get", {"table": "machine", "id": "seven"}, "BadValue", "invalid input syntax"),
        ],
    )
    async def test_what_cannot_be_answered_is_told(
        self, database: Database, do: str, arguments: dict[str, Any], code: str, says: str
    ) -> None:
        with pytest.raises(StoreError, match=says) as refused:
            await ask(database, do, **arguments)
        assert refused.value.code == code

    async def test_rows_that_are_too_large_are_not_sent(self, database: Database, owner: psycopg.Connection) -> None:
        owner.execute("INSERT INTO machine (name, details) VALUES ('big', to_jsonb(repeat('x', 2000000)))")
        with pytest.raises(StoreError, match="too large together"):
            await ask(database, "query", table="machine")
        assert await ask(database, "query", table="machine", columns=["name"]) == [{"name": "big"}]
        with pytest.raises(StoreError, match="more than 1048576 bytes"):
            await ask(database, "get", table="machine", id=1)

    async def test_a_column_that_appears_while_it_runs_is_there_and_one_that_goes_harms_nothing(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        owner.execute("ALTER TABLE heap ADD extra int")
        owner.execute("INSERT INTO heap VALUES ('a', 1)")
        assert await ask(database, "query", table="heap") == [{"word": "a", "extra": 1}]
        owner.execute("ALTER TABLE heap DROP extra")
        assert await ask(database, "query", table="heap") == [{"word": "a"}]


class TestWriting:
    async def test_what_a_bot_writes_is_recorded_with_who_and_why(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        made = await write(database, "w1", "create", table="crm_contact", row={"contact_id": "c1", "contact_tags": []})
        await write(
            database,
            "w2",
            "patch",
            table="crm_contact",
            id="c1",
            changes={"contact_first_name": "Ada", "contact_tags": {"$append": "vip"}, "contact_notes": None},
        )
        gone = await write(database, "w3", "delete", table="crm_contact", id="c1")
        assert made["id"] == "c1"
        assert gone["row"]["contact_tags"] == ["vip"]
        assert [(action, row_id) for action, row_id, *_ in audit(owner)] == [
            ("INSERT", "c1"),
            ("UPDATE", "c1"),
            ("DELETE", "c1"),
        ]
        _, _, before, after = audit(owner)[1]
        assert (before["contact_first_name"], after["contact_first_name"]) == (None, "Ada")
        who = audit(owner, "namespace, bot, persona, thread, task, turn, event, table_name, db_role, key")[0]
        assert who == ("shop", "clerk", "nora", "t1", "k7", "turn_1", "e1", "crm_contact", "nora", "w1")

    async def test_a_write_that_is_tried_again_is_not_done_again(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        first = await write(database, "same", "create", table="machine", row={"name": "a", "count": 1})
        for do, arguments in (
            ("patch", {"id": 1, "changes": {"count": {"$increment": 5}}}),
            ("archive", {"id": 1, "column": "gone_at"}),
        ):
            once = await write(database, do, do, table="machine", **arguments)
            assert await write(database, do, do, table="machine", **arguments) == once
        assert await write(database, "same", "create", table="machine", row={"name": "a", "count": 1}) == first
        assert owner.execute("SELECT count FROM machine").fetchall() == [(6,)]
        assert len(audit(owner)) == 3

    async def test_two_that_write_for_the_same_key_at_once_write_once(
        self, databases: Databases, nora: str, owner: psycopg.Connection
    ) -> None:
        database = await databases.at(nora)
        arguments: dict[str, Any] = {"table": "machine", "row": {"name": "a"}}
        answers = await asyncio.gather(*(write(database, "key", "create", **arguments) for _ in range(20)))
        assert all(answer == answers[0] for answer in answers)
        assert owner.execute("SELECT count(*) FROM machine").fetchone() == (1,)

    async def test_counting_loses_nothing_where_many_count(self, database: Database, owner: psycopg.Connection) -> None:
        owner.execute("INSERT INTO machine (name, price) VALUES ('a', 0.10)")
        change: dict[str, Any] = {"price": {"$increment": "0.10"}}
        await asyncio.gather(
            *(write(database, f"n{n}", "patch", table="machine", id=1, changes=change) for n in range(30))
        )
        assert owner.execute("SELECT price::text FROM machine").fetchone() == ("3.10",)

    async def test_a_row_that_somebody_changed_meanwhile_is_not_written_over(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        owner.execute("INSERT INTO machine (name, since) VALUES ('a', '2026-01-01 00:00+01')")
        expected = {"revision": 1, "since": "2025-12-31T23:00:00Z"}
        await write(
            database, "k1", "patch", table="machine", id=1, changes={"name": "b", "revision": 2}, expected=expected
        )
        for do, arguments in (
            ("patch", {"changes": {"name": "c"}}),
            ("delete", {}),
            ("archive", {"column": "gone_at"}),
        ):
            with pytest.raises(StoreError, match="revision is 2, and 1 was expected: read it again") as conflict:
                await write(database, f"k-{do}", do, table="machine", id=1, expected=expected, **arguments)
            assert conflict.value.code == "Conflict"
        assert owner.execute("SELECT name FROM machine").fetchall() == [("b",)]
        assert len(audit(owner)) == 1

    async def test_archiving_twice_keeps_the_first_time(self, database: Database, owner: psycopg.Connection) -> None:
        owner.execute("INSERT INTO crm_contact (contact_id) VALUES ('c1')")
        arguments = {"table": "crm_contact", "id": "c1", "column": "contact_archived_ts"}
        first = await write(database, "a1", "archive", **arguments)
        second = await write(database, "a2", "archive", **arguments)
        assert first["row"]["contact_archived_ts"] == second["row"]["contact_archived_ts"] > 1_700_000_000

    async def test_a_batch_is_written_whole_or_not_at_all(self, database: Database, owner: psycopg.Connection) -> None:
        owner.execute("INSERT INTO crm_contact (contact_id, contact_email) VALUES ('c1', 'ada@x')")
        rows = [{"contact_email": "ada@x", "contact_notes": "old"}, {"contact_email": "bob@x", "contact_notes": "new"}]
        done = await write(database, "b1", "batch", table="crm_contact", key="contact_email", rows=rows)
        assert (done["created"], done["updated"], done["ids"][0]) == (1, 1, "c1")
        assert await write(database, "b1", "batch", table="crm_contact", key="contact_email", rows=rows) == done
        bad: list[dict[str, Any]] = [
            {"contact_email": "cy@x"},
            {"contact_email": "di@x", "contact_modified_ts": "soon"},
        ]
        with pytest.raises(StoreError, match="invalid input syntax"):
            await write(database, "b2", "batch", table="crm_contact", key="contact_email", rows=bad)
        assert owner.execute("SELECT count(*) FROM crm_contact").fetchone() == (2,)
        assert [action for action, *_ in audit(owner)] == ["UPDATE", "INSERT"]
        empty = await write(database, "b3", "batch", table="crm_contact", key="contact_email", rows=[])
        assert empty == {"created": 0, "updated": 0, "ids": []}

    @pytest.mark.parametrize(
        ("do", "arguments", "code", "says"),
        [
            ("create", {"row": {"nam": "x"}}, "UnknownColumn", "did you mean name?"),
            ("create", {"row": {}}, "Refused", "violates not-null constraint"),
            ("create", {"row": {"name": "forbidden"}}, "Refused", "violates check constraint"),
            ("create", {"row": {"name": "x", "owner": "nobody", "id": 3}}, "Refused", "violates foreign key"),
            ("create", {"row": {"name": "x" * 300}}, "BadValue", "too long for type"),
            ("create", {"row": {"name": "nul\x00"}}, "BadValue", "does not take this value"),
            ("create", {"row": {"name": "x", "price": "many"}}, "BadValue", "invalid input syntax for type numeric"),
            ("create", {"row": {"name": "x", "feeling": "odd"}}, "BadValue", "invalid input value for enum"),
            ("create", {"row": {"name": "x", "id": 1}}, "Exists", "duplicate key"),
            ("create", {"row": {"name": "x", "details": "y" * 1_100_000}}, "TooLarge", "1048576 may be sent"),
            ("patch", {"id": 9, "changes": {"name": "x"}}, "NotFound", "machine has no row 9"),
            ("patch", {"id": 1, "changes": {"nope": 1}}, "UnknownColumn", "has no column nope"),
            ("patch", {"id": 1, "changes": {}}, "BadRequest", "changes"),
            ("patch", {"id": 1, "changes": {"name": {"$increment": 1}}}, "BadValue", "is for numbers"),
            ("patch", {"id": 1, "changes": {"name": {"$append": 1}}}, "BadValue", "is for lists"),
            ("archive", {"id": 1, "column": "name"}, "BadValue", "is no time"),
            ("delete", {"id": 9}, "NotFound", "machine has no row 9"),
            ("batch", {"key": "name", "rows": [{"price": 1}]}, "BadRequest", "each row needs name"),
            ("batch", {"key": "vip", "rows": [{"vip": True}]}, "BadValue", "tells none of them apart"),
        ],
    )
    async def test_what_cannot_be_written_is_told_and_leaves_no_trace(
        self, database: Database, owner: psycopg.Connection, do: str, arguments: dict[str, Any], code: str, says: str
    ) -> None:
        owner.execute("INSERT INTO machine (id, name, vip) VALUES (1, 'a', true), (2, 'b', true)")
        with pytest.raises(StoreError, match=says) as refused:
            await write(database, "key", do, table="machine", **arguments)
        assert refused.value.code == code
        assert audit(owner) == []
        assert owner.execute("SELECT name FROM machine ORDER BY id").fetchall() == [("a",), ("b",)]

    async def test_a_role_writes_what_it_may_and_changes_no_record(
        self, database: Database, owner: psycopg.Connection, nora: str
    ) -> None:
        owner.execute("GRANT SELECT ON secret TO nora")
        try:
            with pytest.raises(StoreError, match="permission denied for table secret") as refused:
                await write(database, "k", "create", table="secret", row={"id": "1"})
        finally:
            owner.execute("REVOKE SELECT ON secret FROM nora")
        assert refused.value.code == "NotAllowed"
        await write(database, "w", "create", table="heap", row={"word": "a"})
        with psycopg.connect(nora) as own, pytest.raises(psycopg.errors.InsufficientPrivilege):
            own.execute("DELETE FROM botyard_audit")

    async def test_without_a_record_nothing_is_written(
        self, databases: Databases, server: str, owner: psycopg.Connection
    ) -> None:
        bare = await databases.at(server.replace("shop@", "bare@"))
        with pytest.raises(StoreError, match="botyard erp sql") as refused:
            await write(bare, "k", "create", table="heap", row={"word": "a"})
        assert refused.value.code == "NoAudit"
        assert owner.execute("SELECT count(*) FROM heap").fetchone() == (0,)


class TestConnections:
    async def test_an_address_that_is_none_does_not_tell_its_password(self, databases: Databases) -> None:
        with pytest.raises(StoreError) as refused:
            await databases.at("postgresql//nora:geheim@nowhere")
        assert "geheim" not in str(refused.value)

    async def test_a_database_that_is_away_is_unavailable_within_its_time(self, databases: Databases) -> None:
        away = await databases.at("postgresql://nora:geheim@127.0.0.1:1/shop")
        with pytest.raises(StoreError) as refused:
            await ask(away, "query", table="machine")
        assert refused.value.code == "Unavailable"
        assert "geheim" not in str(refused.value)

    async def test_a_write_goes_on_after_its_connection_was_ended(
        self, database: Database, owner: psycopg.Connection
    ) -> None:
        await write(database, "k1", "create", table="heap", row={"word": "a"})
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'nora'")
        await write(database, "k2", "create", table="heap", row={"word": "b"})
        assert owner.execute("SELECT word FROM heap ORDER BY word").fetchall() == [("a",), ("b",)]

    async def test_few_connections_serve_many_questions(self, database: Database, owner: psycopg.Connection) -> None:
        await asyncio.gather(*(ask(database, "query", table="machine") for _ in range(100)))
        (count,) = owner.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = 'nora'").fetchone() or (0,)
        assert 1 <= count <= 4

    async def test_connections_that_nobody_has_any_more_are_closed(
        self, databases: Databases, database: Database
    ) -> None:
        await databases.keep(())
        assert database.pool.closed


@pytest.mark.parametrize(
    ("do", "arguments"),
    [
        ("create", {"row": {"key": "k"}}),
        ("patch", {"id": 1, "changes": {"bot": "other"}}),
        ("delete", {"id": 1}),
        ("archive", {"id": 1, "column": "written_at"}),
        ("batch", {"key": "key", "rows": [{"key": "k"}]}),
    ],
)
async def test_the_record_of_what_bots_wrote_is_not_theirs_to_write(
    database: Database, owner: psycopg.Connection, do: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(StoreError, match="not theirs") as refused:
        await write(database, "forged", do, table="botyard_audit", **arguments)
    assert refused.value.code == "NotAllowed"
    assert audit(owner) == []


async def test_sums_are_exact_and_bounded(database: Database, owner: psycopg.Connection) -> None:
    owner.execute("INSERT INTO machine (name, exact) VALUES ('a', 1e40)")
    done = await write(database, "one", "patch", table="machine", id=1, changes={"exact": {"$increment": "0.1"}})
    assert done["row"]["exact"] == "1" + "0" * 40 + ".1"
    with pytest.raises(StoreError, match="for numbers"):
        await write(database, "two", "patch", table="machine", id=1, changes={"exact": {"$increment": "1e999999"}})
