"""/v1/namespaces/{ns}/erp/{table}: whom changes reach, how often, and what is refused."""

import json
from typing import Any

import httpx
import pytest

from botyard.contract.erp import Subscription
from botyard.contract.routes import Route, Routes
from tests.integration.gateway.system import ROUTES, System, bearer, problem

CONTACTS = "/v1/namespaces/shop/erp/crm_contact"
GERMANS = Subscription(table="crm_contact", where=("contact_country:=:DE",), personas=("nora",))
ALL = Subscription(table="crm_contact", personas=("oslo",))
ANNA = {"contact_id": "1", "contact_first_name": "Anna", "contact_country": "DE"}
BO = {"contact_id": "2", "contact_first_name": "Bo", "contact_country": "NO"}


@pytest.fixture
async def erp(system: System) -> System:
    """A gateway whose bots have Personas with subscriptions."""
    echo, _, vault = ROUTES.routes
    clerk = Route(
        **{**echo.model_dump(), "model": "loop", "personas": ("nora", "oslo"), "subscriptions": (GERMANS, ALL)}
    )
    elsewhere = Route(**{**vault.model_dump(), "personas": ("nora",), "subscriptions": (ALL,)})
    system.gateway.table.replace(Routes(routes=(clerk, elsewhere)))
    return system


async def send(system: System, body: Any, *, path: str = CONTACTS, user: str = "channel") -> httpx.Response:
    return await system.http.post(path, json=body, headers=bearer(user))


async def waiting(system: System) -> list[tuple[str, str, str]]:
    """Persona, action and first name of what waits, Persona by Persona in their order."""
    found = []
    for entry in await system.waiting():
        payload = json.loads(entry.payload)
        row = payload["new"] or payload["old"]
        found.append((entry.key, payload["change"], row["contact_first_name"]))
    return sorted(found, key=lambda item: item[0])


async def test_a_change_reaches_those_who_subscribed(erp: System) -> None:
    answer = await send(erp, [{"action": "INSERT", "new": ANNA}, {"action": "INSERT", "new": BO}])
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "duplicate": 0, "deliveries": 3})
    assert await waiting(erp) == [
        (":nora", "INSERT", "Anna"),
        (":oslo", "INSERT", "Anna"),
        (":oslo", "INSERT", "Bo"),
    ]


async def test_the_same_change_again_reaches_nobody(erp: System) -> None:
    change = {"id": "42", "action": "INSERT", "new": ANNA}
    assert (await send(erp, change)).json() == {"accepted": 1, "duplicate": 0, "deliveries": 2}
    assert (await send(erp, change)).json() == {"accepted": 0, "duplicate": 1, "deliveries": 0}
    assert len(await waiting(erp)) == 2


async def test_each_persona_has_an_event_of_its_own(erp: System) -> None:
    await send(erp, {"id": "42", "action": "INSERT", "new": ANNA})
    assert {entry.event for entry in await erp.waiting()} == {"erp:crm_contact:42::nora", "erp:crm_contact:42::oslo"}


async def test_a_change_that_got_half_way_reaches_the_others_when_it_is_sent_again(erp: System) -> None:
    change = {"id": "42", "action": "INSERT", "new": ANNA}
    routes = Routes(routes=tuple(erp.gateway.table))
    alone = Route(**{**routes.routes[1].model_dump(), "subscriptions": (GERMANS,)})
    erp.gateway.table.replace(Routes(routes=(routes.routes[0], alone)))
    await send(erp, change)
    erp.gateway.table.replace(routes)
    assert (await send(erp, change)).json() == {"accepted": 1, "duplicate": 0, "deliveries": 1}
    assert [persona for persona, _, _ in await waiting(erp)] == [":nora", ":oslo"]


async def test_what_nobody_wants_is_taken_and_forgotten(erp: System) -> None:
    answer = await send(erp, {"action": "INSERT", "new": {}}, path="/v1/namespaces/shop/erp/com_order")
    assert answer.json() == {"accepted": 1, "duplicate": 0, "deliveries": 0}
    assert await waiting(erp) == []


async def test_an_update_that_archives_is_an_archive(erp: System) -> None:
    old, new = {**ANNA, "contact_archived_ts": 0}, {**ANNA, "contact_archived_ts": 1_700_000_000}
    await send(erp, {"action": "UPDATE", "old": old, "new": new})
    assert {action for _, action, _ in await waiting(erp)} == {"ARCHIVE"}


async def test_envelopes_of_debezium_are_changes(erp: System) -> None:
    source = {"table": "crm_contact", "db": "erp", "lsn": 7, "txId": 1}
    envelope = {"payload": {"op": "d", "before": ANNA, "after": None, "source": source}}
    assert (await send(erp, [envelope, {"payload": None}])).json()["accepted"] == 1
    assert (await send(erp, [envelope])).json()["duplicate"] == 1
    assert await waiting(erp) == [(":nora", "DELETE", "Anna"), (":oslo", "DELETE", "Anna")]


async def test_only_who_may_act_for_others_on_all_bots_of_the_namespace_may_send(erp: System) -> None:
    change = {"action": "INSERT", "new": ANNA}
    problem(await send(erp, change, user="ann"), 403, "forbidden")
    problem(await send(erp, change, path="/v1/namespaces/bank/erp/crm_contact"), 403, "forbidden")
    problem(await erp.http.post(CONTACTS, json=change), 401, "unauthenticated")
    assert await waiting(erp) == []


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        pytest.param({"action": "INSERT"}, "", "needs `new`", id="row missing"),
        pytest.param(
            [{"action": "INSERT", "new": {}}, {"action": "ADD", "new": {}}], "/1/action", "INSERT", id="action"
        ),
        pytest.param([{"actoin": "INSERT", "new": {}}], "/0/actoin", "Did you mean `action`", id="typo"),
        pytest.param([5], "/0", "", id="no object"),
        pytest.param([{"payload": {"op": "z"}}], "/0", "op is 'z'", id="envelope"),
    ],
)
async def test_of_a_body_with_something_wrong_nothing_is_taken(erp: System, body: Any, pointer: str, says: str) -> None:
    good = {"action": "INSERT", "new": ANNA}
    refused = problem(await send(erp, body), 422, "invalid-body")
    assert any(error["pointer"] == pointer and says in error["detail"] for error in refused["errors"]), refused
    if isinstance(body, list):
        problem(await send(erp, [good, *body]), 422, "invalid-body")
    assert await waiting(erp) == []


async def test_there_is_a_most_of_changes_at_once(erp: System) -> None:
    refused = problem(await send(erp, [{"action": "INSERT", "new": ANNA}] * 1001), 422, "invalid-body")
    assert "at most 1000" in refused["detail"]


async def test_a_path_that_names_no_table_is_refused(erp: System) -> None:
    change = {"action": "INSERT", "new": {}}
    problem(await send(erp, change, path="/v1/namespaces/shop/erp/crm-contact;drop"), 400, "bad-parameter")


async def test_a_full_inbox_stops_the_sender_and_says_where(erp: System) -> None:
    erp.gateway.max_pending = 2
    changes = [{"id": str(number), "action": "INSERT", "new": BO} for number in range(5)]
    answer = await send(erp, changes)
    refused = problem(answer, 429, "overloaded")
    assert "The first 2 of 5 changes were taken" in refused["detail"]
    assert int(answer.headers["retry-after"]) >= 1
    erp.gateway.max_pending = 100
    assert (await send(erp, changes)).json() == {"accepted": 3, "duplicate": 2, "deliveries": 3}
