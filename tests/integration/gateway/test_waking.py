"""Bots that are not ready: refused with the reason, woken, or waited for."""

import httpx

from botyard.contract.routes import Route, Routes
from botyard.core.activity import Activity
from botyard.gateway.routes import address
from tests.integration.gateway.system import ROUTES, System, bearer, problem

PATH = "/v1/namespaces/shop/bots/{}/messages"


def serve(system: System, **fields: object) -> None:
    route = Route.model_validate(
        {"namespace": "shop", "name": "night", "reason": "Sleeping", "message": "Bot shop/night sleeps", **fields}
    )
    system.gateway.table.replace(Routes(routes=(*ROUTES.routes, route)))


async def post(system: System, **fields: object) -> httpx.Response:
    return await system.http.post(PATH.format("night"), json={"text": "hello", **fields}, headers=bearer("ann"))


async def pending(system: System) -> int:
    route = system.gateway.table.find("shop", "night")
    assert route is not None
    return await system.gateway.inbox.pending(address(route))


async def test_a_bot_that_is_not_ready_refuses_with_the_message_of_its_condition(system: System) -> None:
    serve(system)
    answer = await post(system)
    assert problem(answer, 503, "bot-not-ready")["detail"] == "Bot shop/night sleeps"
    assert answer.headers["retry-after"] == "5"
    assert await pending(system) == 0


async def test_a_message_may_ask_to_wait_for_the_bot(system: System) -> None:
    serve(system)
    assert (await post(system, queue=True)).status_code == 202
    assert await pending(system) == 1


async def test_a_bot_may_have_all_messages_wait(system: System) -> None:
    serve(system, queue=True)
    assert (await post(system)).status_code == 202
    assert await pending(system) == 1


async def test_a_bot_that_sleeps_accepts_and_is_woken(system: System) -> None:
    serve(system, wakes=True)
    assert (await post(system)).status_code == 202
    assert await pending(system) == 1
    assert set(await Activity(system.redis).last()) == {"shop/night"}


async def test_a_bot_that_never_sleeps_is_not_marked(system: System) -> None:
    await system.post()
    assert await Activity(system.redis).last() == {}


async def test_an_empty_message_is_refused_before_it_could_wait(system: System) -> None:
    serve(system, wakes=True)
    problem(await system.http.post(PATH.format("night"), json={}, headers=bearer("ann")), 422, "invalid-body")
    assert await Activity(system.redis).last() == {}
