"""GET /v1/bots: what the caller may talk to."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from botyard.contract.routes import Route
from botyard.gateway import parameters
from botyard.gateway.access import identify
from botyard.gateway.context import Gateway
from botyard.gateway.identity import Principal
from botyard.gateway.models.bots import BotAnswer, BotList

_AT_ONCE = 32
"""Permission questions that run at the same time for one caller."""


async def list_bots(gateway: Gateway, request: Request) -> Response:
    """List the bots on which the caller has the verb `use`."""
    principal = await identify(gateway, request)
    parameters.only(request, "namespace")
    wanted = request.query_params.get("namespace")
    found = [route for route in gateway.table if wanted in (None, route.namespace)]
    bots = tuple(_answer(gateway, route) for route in await _usable(gateway, principal, found))
    return JSONResponse(BotList(bots=bots).model_dump())


async def _usable(gateway: Gateway, principal: Principal, found: list[Route]) -> list[Route]:
    """Return the routes that the principal may use: one question for a namespace, and one a bot where that is no."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def ask(namespace: str, name: str) -> bool:
        async with gate:
            return await gateway.authorizer.allowed(principal, "use", namespace, name)

    namespaces = sorted({route.namespace for route in found})
    answers = await asyncio.gather(*(ask(namespace, "") for namespace in namespaces))
    whole = {namespace for namespace, yes in zip(namespaces, answers, strict=True) if yes}
    single = [route for route in found if route.namespace not in whole]
    singles = await asyncio.gather(*(ask(route.namespace, route.name) for route in single))
    usable = {(route.namespace, route.name) for route, yes in zip(single, singles, strict=True) if yes}
    return [route for route in found if route.namespace in whole or (route.namespace, route.name) in usable]


def _answer(gateway: Gateway, route: Route) -> BotAnswer:
    default = gateway.table.default(route.namespace)
    return BotAnswer(
        namespace=route.namespace,
        name=route.name,
        model=route.model,
        ready=route.ready,
        reason=route.reason,
        message=route.message,
        default=default is not None and default.name == route.name,
        personas=route.personas,
    )
