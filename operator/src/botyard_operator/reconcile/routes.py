"""Keeps the gateway's routing table: ConfigMaps in the system namespace, from all Bots and Personas."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from botyard.contract import names
from botyard.contract.erp import Subscription, together
from botyard.contract.persona import PersonaConfig
from botyard.contract.routes import Route, Routes
from botyard_operator.api.bot import Bot
from botyard_operator.api.errors import InvalidObject
from botyard_operator.conditions import find
from botyard_operator.reconcile.base import Context, JsonObject, Key, Result
from botyard_operator.reconcile.persona_shards import ShardReader
from botyard_operator.reconcile.route_shards import divide
from botyard_operator.reconcile.subscriptions import declared_tables, wishes

logger = logging.getLogger(__name__)

KIND = "Routes"
NAME = names.routes_name(0)
"""Name of the first ConfigMap, and of the key."""

DEBOUNCE_SECONDS = 0.2
"""Pause between a change and the new table, so that a thousand Bots do not cause a thousand writes."""
_BYTES_PER_SECOND = 200_000
"""A large table is written less often: about this many bytes a second."""
_LONGEST_PAUSE = 5.0
_MESSAGE_LENGTH = 300


class RoutesReconciler:
    """Reconciles the one key of kind `Routes`."""

    def __init__(self, reader: ShardReader) -> None:
        self._reader = reader
        self._routes: dict[Key, _Remembered] = {}
        self._in_force: dict[Key, Route] = {}
        self._applied: dict[int, tuple[int, str]] = {}
        """The version and the text of each shard, as they were written or read last."""
        self._not_before = 0.0

    async def reconcile(self, key: Key, ctx: Context) -> Result:
        """Write the routing table when it differs."""
        routes = self._all(ctx)
        present = await self._present(key, ctx)
        wanted = divide(routes, present)
        texts = dict(enumerate(wanted)) | dict.fromkeys(range(len(wanted), present), "{}")
        changed = [number for number in texts if await self._current(key, number, ctx) != texts[number]]
        if not changed:
            self._tell(routes, ctx)
            return Result()
        wait = self._not_before - ctx.clock.monotonic()
        if wait > 0:
            return Result(requeue_after=wait)
        # The first one last: it says how many there are.
        for number in reversed(changed):
            answer = await ctx.kube.apply(config_map(key.namespace, number, texts[number]))
            self._applied[number] = (int(answer["metadata"]["resourceVersion"]), texts[number])
        written = sum(len(texts[number]) for number in changed)
        self._not_before = ctx.clock.monotonic() + min(_LONGEST_PAUSE, written / _BYTES_PER_SECOND)
        self._tell(routes, ctx)
        logger.info("routes written", extra={"kind": KIND, "bytes": written, "shards": len(changed)})
        return Result()

    def in_force(self, bot: Key) -> Route | None:
        """Return the route of a Bot as the gateway's table has it; None: it has none that is known of."""
        return self._in_force.get(bot)

    def _tell(self, routes: list[Route], ctx: Context) -> None:
        """Remember what is in force, and have the Personas looked at whose subscriptions became so."""
        before, self._in_force = self._in_force, {Key("Bot", route.namespace, route.name): route for route in routes}
        for key, route in self._in_force.items():
            old = before.get(key)
            known = old.subscriptions if old is not None else ()
            if route.subscriptions != known:
                for persona in {name for wish in (*route.subscriptions, *known) for name in wish.personas}:
                    ctx.enqueue(Key("Persona", key.namespace, persona))

    async def _present(self, key: Key, ctx: Context) -> int:
        """Return how many shards there are."""
        try:
            return Routes.model_validate_json(await self._current(key, 0, ctx) or "{}").shards
        except ValidationError:
            return 1

    async def _current(self, key: Key, number: int, ctx: Context) -> str | None:
        place = Key("ConfigMap", key.namespace, names.routes_name(number))
        seen, applied = ctx.caches.version(place), self._applied.get(number)
        if applied is not None and (seen is None or seen <= applied[0]):
            return applied[1]
        held = await ctx.kube.get(place)
        text: str | None = ((held or {}).get("data") or {}).get(names.ROUTES_FILE)
        if held is not None and text is not None:
            self._applied[number] = (int(held["metadata"]["resourceVersion"]), text)
        return text

    def _all(self, ctx: Context) -> list[Route]:
        keys = sorted(ctx.caches.keys("Bot"))
        for gone in self._routes.keys() - set(keys):
            del self._routes[gone]
        return [route for route in (self._route(key, ctx) for key in keys) if route is not None]

    def _route(self, key: Key, ctx: Context) -> Route | None:
        """Return the route of a Bot, made anew only where something that it is made from has changed."""
        dependents = ctx.caches.dependents(key)
        personas = tuple(sorted(other.name for other in dependents if other.kind == "Persona"))
        remembered = self._routes.get(key)
        if remembered is not None and remembered.made_from == self._versions(key, remembered.bundle, personas, ctx):
            return remembered.route
        obj = ctx.caches.get("Bot", key.namespace, key.name)
        if obj is None or obj["metadata"].get("deletionTimestamp"):
            return None
        bundle = _bundle_key(obj)
        default = _is_default(obj, ctx)
        route = build_route(
            obj, personas, model=_model(bundle, ctx), default=default, subscriptions=self._subscriptions(key, obj, ctx)
        )
        if route is None:
            return remembered.route if remembered is not None else None
        if not (obj.get("spec") or {}).get("default"):
            # Whether a Bot that wants to be the default is it depends on others.
            self._routes[key] = _Remembered(self._versions(key, bundle, personas, ctx), bundle, route)
        else:
            self._routes.pop(key, None)
        return route

    def _versions(self, bot: Key, bundle: Key, personas: tuple[str, ...], ctx: Context) -> object:
        return ctx.caches.version(bot), ctx.caches.version(bundle), personas, self._reader.versions(bot, ctx)

    def _subscriptions(self, key: Key, obj: JsonObject, ctx: Context) -> tuple[Subscription, ...]:
        """Return what the Personas of a Bot that are in force want to hear of."""
        declared = declared_tables(obj, ctx)
        found = self._reader.read(key, ctx)
        return together(
            {name: wishes(PersonaConfig.model_validate(found[name][1]), declared) for name in sorted(found)}
        )


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A route and the versions of what it was made from."""

    made_from: object
    bundle: Key
    route: Route


def _bundle_key(obj: JsonObject) -> Key:
    reference = (obj.get("spec") or {}).get("bundleRef") or {}
    namespace = reference.get("namespace") or obj["metadata"]["namespace"]
    return Key("Bundle", str(namespace), str(reference.get("name") or ""))


def build_route(
    obj: JsonObject,
    personas: Iterable[str],
    *,
    model: str,
    default: bool,
    subscriptions: tuple[Subscription, ...] = (),
) -> Route | None:
    """Return the route of a Bot, or None where its spec cannot be read."""
    try:
        bot = Bot.parse(obj)
    except InvalidObject:
        return None
    condition = find((obj.get("status") or {}).get("conditions"), "Ready") or {}
    ready = condition.get("status") == "True" and (obj.get("status") or {}).get("readyReplicas", 0) > 0
    return Route(
        namespace=bot.metadata.namespace,
        name=bot.metadata.name,
        model=model,
        default=default,
        ready=ready,
        reason="" if ready else str(condition.get("reason", "Progressing")),
        message="" if ready else str(condition.get("message", ""))[:_MESSAGE_LENGTH],
        wakes=bot.spec.autoscaling is not None and not bot.spec.suspend,
        max_input_bytes=bot.spec.limits.max_input.bytes,
        events_allow=bot.spec.events.allow if bot.spec.events is not None else (),
        personas=tuple(personas),
        subscriptions=subscriptions,
    )


def config_map(namespace: str, shard: int, text: str) -> JsonObject:
    """Return a ConfigMap that the gateway reads."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.routes_name(shard),
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/name": "botyard",
                "app.kubernetes.io/component": "routes",
                "app.kubernetes.io/managed-by": "botyard",
            },
        },
        "data": {names.ROUTES_FILE: text},
    }


def _model(key: Key, ctx: Context) -> str:
    bundle = ctx.caches.get(key.kind, key.namespace, key.name) or {}
    declared = ((bundle.get("spec") or {}).get("entrypoint") or {}).get("model") or "auto"
    found = ((bundle.get("status") or {}).get("manifest") or {}).get("model")
    return str(found or declared)


def _is_default(obj: JsonObject, ctx: Context) -> bool:
    """Whether a Bot is its namespace's default: of several that want to be, the oldest is."""
    if not (obj.get("spec") or {}).get("default"):
        return False
    candidates = [
        other
        for other in ctx.caches.list("Bot", obj["metadata"]["namespace"])
        if (other.get("spec") or {}).get("default")
    ]
    oldest = min(
        candidates,
        key=lambda other: (other["metadata"].get("creationTimestamp", ""), other["metadata"]["name"]),
        default=obj,
    )
    return bool(oldest["metadata"]["name"] == obj["metadata"]["name"])
