"""Reconciles the aggregated ConfigMaps that carry the Personas of a Bot.

The key is the Bot's. A Persona stays in the shard where it is, so that adding or editing one rewrites one ConfigMap.
"""

from __future__ import annotations

import base64
import json
import logging
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from botyard.budget.accounts import time_zone
from botyard.contract import names
from botyard.contract.persona import PersonaConfig, PersonaShard, ScheduleConfig
from botyard.contract.spending import PersonaBudget
from botyard_operator.api.errors import InvalidObject
from botyard_operator.api.persona import Persona
from botyard_operator.builders.children import stamped
from botyard_operator.builders.config_map import persona_shard
from botyard_operator.builders.secret import persona_secrets
from botyard_operator.reconcile.base import Context, JsonObject, Key, Result, RetryLater
from botyard_operator.reconcile.ownership import apply_changed, delete_unwanted
from botyard_operator.reconcile.problems import Blocked
from botyard_operator.reconcile.refresh import dated, refresh_pods
from botyard_operator.reconcile.setups import Secrets, schema_of, secrets_of, setup_problem
from botyard_operator.reconcile.subscriptions import (
    declared_tables,
    own_subscriptions,
    own_tables,
    subscription_problem,
)

logger = logging.getLogger(__name__)

KIND = "PersonaShards"
"""Kind of the keys of this reconciler; namespace and name are the Bot's."""

_ENVELOPE_BYTES = len('{"personas":[]}')


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which Persona is in which shard."""

    shards: tuple[tuple[PersonaConfig, ...], ...]
    """Content of each shard, each sorted by name."""
    left_out: tuple[str, ...] = ()
    """Personas for which there is no room."""


def assign(
    personas: Iterable[PersonaConfig],
    current: Mapping[str, int],
    *,
    shards: int = names.PERSONA_SHARDS,
    limit: int = names.PERSONA_SHARD_BYTES,
) -> Assignment:
    """Distribute Personas over shards, each of which stays below `limit` bytes of JSON.

    Args:
        personas: What is to be distributed.
        current: The shard in which each Persona is now; those stay there while they fit.
        shards: Number of shards.
        limit: Bytes of JSON for each shard.
    """
    free = [limit - _ENVELOPE_BYTES] * shards
    placed: list[list[PersonaConfig]] = [[] for _ in range(shards)]
    homeless: list[PersonaConfig] = []

    def put(persona: PersonaConfig, shard: int) -> bool:
        size = len(persona.to_json().encode()) + 1
        if size > free[shard]:
            return False
        free[shard] -= size
        placed[shard].append(persona)
        return True

    for persona in sorted(personas, key=lambda persona: persona.name):
        home = current.get(persona.name)
        if home is None or not 0 <= home < shards or not put(persona, home):
            homeless.append(persona)
    left_out = [persona.name for persona in homeless if not any(put(persona, shard) for shard in range(shards))]
    return Assignment(
        shards=tuple(tuple(sorted(content, key=lambda persona: persona.name)) for content in placed),
        left_out=tuple(left_out),
    )


class ShardReader:
    """Reads the shards as they are; remembers the decoded content of those that were read last."""

    def __init__(self, remembered: int = 64) -> None:
        self._remembered = remembered
        self._content: OrderedDict[Key, tuple[int | None, dict[str, JsonObject]]] = OrderedDict()

    def read(self, bot: Key, ctx: Context) -> dict[str, tuple[int, JsonObject]]:
        """Return the Personas in the shards of a Bot: shard and JSON content by name."""
        found: dict[str, tuple[int, JsonObject]] = {}
        for number in range(names.PERSONA_SHARDS):
            for name, persona in self._shard(bot, number, ctx).items():
                found[name] = (number, persona)
        return found

    def versions(self, bot: Key, ctx: Context) -> tuple[int | None, ...]:
        """Return the versions of a Bot's shards: when they are the same, so is what `read` returns."""
        return tuple(
            ctx.caches.version(Key("ConfigMap", bot.namespace, names.persona_shard_name(bot.name, number)))
            for number in range(names.PERSONA_SHARDS)
        )

    def persona(self, bot: Key, name: str, ctx: Context) -> JsonObject | None:
        """Return the JSON content of one Persona, or None when no shard has it."""
        for number in range(names.PERSONA_SHARDS):
            found = self._shard(bot, number, ctx).get(name)
            if found is not None:
                return found
        return None

    def full(self, bot: Key, size: int, ctx: Context) -> bool:
        """Whether no shard has room for a Persona of `size` bytes."""
        for number in range(names.PERSONA_SHARDS):
            obj = ctx.caches.get("ConfigMap", bot.namespace, names.persona_shard_name(bot.name, number))
            text = ((obj or {}).get("data") or {}).get(names.PERSONAS_FILE, "")
            if len(text.encode()) + size + 1 <= names.PERSONA_SHARD_BYTES:
                return False
        return True

    def _shard(self, bot: Key, number: int, ctx: Context) -> dict[str, JsonObject]:
        key = Key("ConfigMap", bot.namespace, names.persona_shard_name(bot.name, number))
        version = ctx.caches.version(key)
        if version is None:
            return {}
        remembered = self._content.get(key)
        if remembered is not None and remembered[0] == version:
            self._content.move_to_end(key)
            return remembered[1]
        obj = ctx.caches.get(key.kind, key.namespace, key.name) or {}
        content = _decode((obj.get("data") or {}).get(names.PERSONAS_FILE, "{}"))
        self._content[key] = (version, content)
        self._content.move_to_end(key)
        if len(self._content) > self._remembered:
            self._content.popitem(last=False)
        return content


def _decode(text: str) -> dict[str, JsonObject]:
    try:
        shard = PersonaShard.model_validate_json(text)
    except ValidationError:
        return {}  # Somebody else wrote it; the shard is written anew.
    return {persona.name: to_json(persona) for persona in shard.personas}


def to_json(persona: PersonaConfig) -> JsonObject:
    """Return a Persona as its shard has it."""
    decoded: JsonObject = json.loads(persona.to_json())
    return decoded


def persona_config(persona: Persona, secrets_version: str = "") -> PersonaConfig:
    """Return what the runtime learns of a Persona."""
    return PersonaConfig(
        name=persona.metadata.name,
        uid=persona.metadata.uid,
        display_name=persona.spec.display_name or persona.metadata.name,
        setup=persona.spec.setup,
        max_in_progress=persona.spec.max_in_progress,
        budget=_budget(persona),
        schedules=_schedules(persona),
        secrets_version=secrets_version,
        subscriptions=own_subscriptions(persona),
    )


def _schedules(persona: Persona) -> tuple[ScheduleConfig, ...] | None:
    """Return a Persona's own schedules; None where it leaves them to its bundle."""
    if "schedules" not in persona.spec.model_fields_set:
        return None
    return tuple(
        ScheduleConfig(
            name=schedule.name,
            type=schedule.type,
            when=schedule.when,
            question=schedule.question,
            expert=schedule.expert,
        )
        for schedule in persona.spec.schedules
    )


def _budget(persona: Persona) -> PersonaBudget:
    declared = persona.spec.budget
    if declared is None:
        return PersonaBudget()
    given = {
        "daily": declared.daily,
        "per_task": declared.per_task,
        "per_thread": declared.per_thread,
        "time_zone": declared.time_zone,
        "on_exceeded": declared.on_exceeded,
    }
    return PersonaBudget.model_validate({name: value for name, value in given.items() if value is not None})


def budget_problem(persona: Persona) -> str:
    """Return what is impossible in a Persona's budget although its schema allows it; empty: nothing."""
    if persona.spec.budget is None:
        return ""
    try:
        time_zone(persona.spec.budget.time_zone)
    except ValueError as error:
        return f"spec.budget.timeZone: {error}"
    return ""


def _exists(bot: Key, number: int, ctx: Context) -> bool:
    key = Key("ConfigMap", bot.namespace, names.persona_shard_name(bot.name, number))
    return ctx.caches.version(key) is not None


class PersonaShardsReconciler:
    """Reconciles keys of kind `PersonaShards`."""

    def __init__(self, reader: ShardReader) -> None:
        self._reader = reader

    async def reconcile(self, key: Key, ctx: Context) -> Result:
        """Bring the shards of a Bot to its Personas, and its pods to read them at once."""
        bot = Key("Bot", key.namespace, key.name)
        obj = ctx.caches.get("Bot", key.namespace, key.name)
        if obj is None or obj["metadata"].get("deletionTimestamp"):
            return Result()
        if (obj.get("spec") or {}).get("suspend"):
            return Result()
        before = self._reader.read(bot, ctx)
        wanted, secrets = await self._wanted(bot, before, ctx)
        assignment = assign(wanted, {name: shard for name, (shard, _) in before.items()})
        uid = obj["metadata"]["uid"]
        now = ctx.clock.now()
        shards = [
            dated(
                stamped(
                    persona_shard(
                        bot=key.name,
                        uid=uid,
                        namespace=key.namespace,
                        number=number,
                        shard=PersonaShard(personas=content),
                    )
                ),
                bot=bot,
                caches=ctx.caches,
                now=now,
            )
            for number, content in enumerate(assignment.shards)
            # One that became empty stays: pods learn at once that it is, but not that it is gone.
            if content or number == 0 or _exists(bot, number, ctx)
        ]
        try:
            # Secrets first: a pod that reads the Persona finds them.
            written = await apply_changed([*_secret(bot, uid, secrets, ctx), *shards], bot, uid, ctx)
        except Blocked as blocked:
            raise RetryLater(blocked.problem.message) from blocked
        kept = {shard["metadata"]["name"] for shard in shards} | {names.config_map_name(key.name)}
        await delete_unwanted("ConfigMap", kept, bot, uid, ctx)
        problem = await refresh_pods(bot, ctx)
        changed = {persona.name for persona in wanted if before.get(persona.name, (0, None))[1] != to_json(persona)}
        for name in sorted(changed | set(assignment.left_out)):
            ctx.enqueue(Key("Persona", key.namespace, name))
        if written:
            logger.info(
                "personas written",
                extra={"kind": KIND, "namespace": key.namespace, "object": key.name, "changed": len(changed)},
            )
        if problem is not None:
            raise RetryLater(problem.message)
        return Result()

    async def _wanted(
        self, bot: Key, before: Mapping[str, tuple[int, JsonObject]], ctx: Context
    ) -> tuple[list[PersonaConfig], dict[str, bytes]]:
        """Return the Personas that the pods should have, and what of them is kept in Secrets."""
        wanted: list[PersonaConfig] = []
        kept: dict[str, bytes] = {}
        held = ctx.caches.get(bot.kind, bot.namespace, bot.name)
        schema = await schema_of(held, ctx)
        tables, own = declared_tables(held, ctx), await own_tables(held, ctx)
        for dependent in ctx.caches.dependents(bot):
            obj = ctx.caches.get(dependent.kind, dependent.namespace, dependent.name)
            if dependent.kind != "Persona" or obj is None or obj["metadata"].get("deletionTimestamp"):
                continue
            try:
                persona = Persona.parse(obj)
                usable = not persona.spec.suspend and not budget_problem(persona)
                usable = usable and subscription_problem(persona, tables, own) is None
            except InvalidObject:
                usable = False
            secrets = await secrets_of(persona, ctx) if usable else Secrets()
            usable = usable and secrets.problem is None and setup_problem(schema, persona) is None
            if secrets.content:
                kept[dependent.name] = secrets.content
            if usable:
                wanted.append(persona_config(persona, secrets.version))
            elif dependent.name in before:
                # What cannot be read, or must be left alone, goes on as it was.
                wanted.append(PersonaConfig.model_validate(before[dependent.name][1]))
                kept |= _kept_before(bot, dependent.name, ctx) if dependent.name not in kept else {}
        return wanted, kept


def _secret(bot: Key, uid: str, secrets: Mapping[str, bytes], ctx: Context) -> list[JsonObject]:
    """Return the Secret of a Bot's Personas; nothing where none of them ever kept something in one."""
    key = Key("Secret", bot.namespace, names.persona_secrets_name(bot.name))
    if not secrets and ctx.caches.version(key) is None:
        return []
    return [stamped(persona_secrets(bot=bot.name, uid=uid, namespace=bot.namespace, personas=secrets))]


def _kept_before(bot: Key, persona: str, ctx: Context) -> dict[str, bytes]:
    """Return what a Persona that goes on as it was kept in Secrets then."""
    held = ctx.caches.get("Secret", bot.namespace, names.persona_secrets_name(bot.name)) or {}
    value = (held.get("data") or {}).get(f"{persona}.json")
    return {persona: base64.b64decode(value)} if value else {}
