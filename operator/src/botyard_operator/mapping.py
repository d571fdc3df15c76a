"""From a change in the caches to the keys that it concerns.

Pure: what is marked dirty follows from the change and the caches' indices alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from botyard.contract import names
from botyard_operator.caches import OWN_KINDS, Caches, bot_label
from botyard_operator.conditions import find
from botyard_operator.reconcile import persona_shards, routes
from botyard_operator.reconcile.base import JsonObject, Key
from botyard_operator.reconcile.bot import SETTLE_SECONDS

PERSONAS_DEBOUNCE_SECONDS = 0.05
"""A batch of Personas is written together; an edit must be in force within two seconds."""

_ROUTES = frozenset(names.routes_name(shard) for shard in range(names.ROUTE_SHARDS))

Dirty = tuple[Key, float]
"""A key and the seconds after which it should be reconciled."""


def concerned(
    key: Key,
    before: JsonObject | None,
    after: JsonObject | None,
    *,
    own: bool,
    caches: Caches,
    system_namespace: str,
) -> Iterator[Dirty]:
    """Return what to reconcile after `key` changed.

    Args:
        key: The object that changed.
        before: What it was, None when it is new.
        after: What it is, None when it was deleted.
        own: Whether the operator itself wrote it: then its own reconciler knows already.
        caches: The state after the change.
        system_namespace: Where the aggregates live.
    """
    table = Key(routes.KIND, system_namespace, routes.NAME)
    if key.kind in OWN_KINDS:
        if not own:
            # A Persona is in force once its shard is written: its status waits for that.
            yield key, SETTLE_SECONDS if key.kind == "Persona" else 0.0
        yield from _by_kind(key, before, after, caches)
        yield table, routes.DEBOUNCE_SECONDS
    else:
        bot = bot_label(after or {}) or bot_label(before or {})
        if bot is not None and not own:
            if _shard_number(after) is not None or _shard_number(before) is not None:
                yield Key(persona_shards.KIND, key.namespace, bot), PERSONAS_DEBOUNCE_SECONDS
            else:
                yield Key("Bot", key.namespace, bot), SETTLE_SECONDS
        if key.kind == "ConfigMap" and key.namespace == system_namespace and key.name in _ROUTES and not own:
            yield table, routes.DEBOUNCE_SECONDS
        if key.kind == "ConfigMap" and key.name == names.PRICES_NAME:
            everywhere = key.namespace == system_namespace
            for dependent in caches.keys("Bot"):
                if everywhere or dependent.namespace == key.namespace:
                    yield dependent, 0.0
        if key.kind == "ConfigMap" and key.name.endswith(names.MANIFEST_SUFFIX):
            yield from _kept_to_a_schema(
                Key("Bundle", key.namespace, key.name.removesuffix(names.MANIFEST_SUFFIX)), caches
            )
        if key.kind in {"Secret", "ConfigMap"}:
            for dependent in caches.dependents(key):
                if dependent.kind == "Persona" and (held := caches.get("Persona", dependent.namespace, dependent.name)):
                    yield Key(persona_shards.KIND, key.namespace, _bot_of(held) or ""), PERSONAS_DEBOUNCE_SECONDS
                # Several references that change together replace the pods once.
                yield dependent, SETTLE_SECONDS if dependent.kind == "Bot" else 0.0


def _by_kind(key: Key, before: JsonObject | None, after: JsonObject | None, caches: Caches) -> Iterator[Dirty]:
    if key.kind == "Bundle":
        for dependent in caches.dependents(key):
            yield dependent, 0.0
        if _model(before) != _model(after):
            for user in caches.dependents(key):
                yield from ((persona, SETTLE_SECONDS) for persona in caches.dependents(user))
    elif key.kind == "Bot":
        if _identity(before) != _identity(after):
            yield Key(persona_shards.KIND, key.namespace, key.name), PERSONAS_DEBOUNCE_SECONDS
        if (_identity(before), _ready(before)) != (_identity(after), _ready(after)):
            for dependent in caches.dependents(key):
                yield dependent, SETTLE_SECONDS
        if _wants_default(before) != _wants_default(after):
            yield from _default_candidates(key, caches)
    elif key.kind == "Persona":
        bot = _bot_of(after or before or {})
        if bot is not None:
            if _content(before) != _content(after):
                yield Key(persona_shards.KIND, key.namespace, bot), PERSONAS_DEBOUNCE_SECONDS
            if (before is None, _ready(before)) != (after is None, _ready(after)):
                yield Key("Bot", key.namespace, bot), SETTLE_SECONDS


def _kept_to_a_schema(bundle: Key, caches: Caches) -> Iterator[Dirty]:
    """Return the Personas whose setup a bundle's manifest decides about."""
    for bot in caches.dependents(bundle):
        if bot.kind == "Bot":
            yield Key(persona_shards.KIND, bot.namespace, bot.name), PERSONAS_DEBOUNCE_SECONDS
            for persona in caches.dependents(bot):
                yield persona, SETTLE_SECONDS


def _identity(bot: JsonObject | None) -> object:
    """Return what Personas and their shards depend on in a Bot."""
    if bot is None:
        return None
    return (
        bot["metadata"].get("uid"),
        bot["metadata"].get("deletionTimestamp"),
        (bot.get("spec") or {}).get("suspend"),
    )


def _content(persona: JsonObject | None) -> object:
    if persona is None:
        return None
    return persona.get("spec"), persona["metadata"].get("uid"), persona["metadata"].get("deletionTimestamp")


def _model(bundle: JsonObject | None) -> object:
    return (((bundle or {}).get("status") or {}).get("manifest") or {}).get("model")


def _ready(obj: JsonObject | None) -> object:
    condition = find(((obj or {}).get("status") or {}).get("conditions"), "Ready") or {}
    status = condition.get("status")
    return status, None if status == "True" else condition.get("message")


def _wants_default(bot: JsonObject | None) -> bool:
    return bool(((bot or {}).get("spec") or {}).get("default"))


def _default_candidates(key: Key, caches: Caches) -> Iterator[Dirty]:
    for other in caches.list("Bot", key.namespace):
        name = other["metadata"]["name"]
        if name != key.name and _wants_default(other):
            yield Key("Bot", key.namespace, name), 0.0


def _bot_of(persona: JsonObject) -> str | None:
    name = ((persona.get("spec") or {}).get("botRef") or {}).get("name")
    return name if isinstance(name, str) else None


def _shard_number(obj: JsonObject | None) -> str | None:
    if obj is None:
        return None
    number: str | None = (obj["metadata"].get("labels") or {}).get(names.LABEL_SHARD)
    return number
