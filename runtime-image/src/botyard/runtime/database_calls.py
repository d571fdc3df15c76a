"""What bots ask of the company's database, answered with the Persona's own role, which no worker ever has."""

import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter

from botyard.core.address import BotAddress
from botyard.core.inbox import Entry
from botyard.loop import keys
from botyard.runtime.configuration import Configuration

if TYPE_CHECKING:
    from botyard.erp.store import Actor, Databases

PREFIX = "erp."
"""Of the methods that are answered here."""
MAX_KEY = 400


class DatabaseCalls:
    """Answers the turns and residents of one replica."""

    def __init__(self, address: BotAddress, configuration: Configuration, registry: CollectorRegistry) -> None:
        self._address = address
        self._configuration = configuration
        self._databases: Databases | None = None
        self._count = Counter(
            "botyard_erp_calls_total",
            "What bots asked of the company's database, by what came of it.",
            ["do", "outcome"],
            registry=registry,
        )

    async def in_turn(self, entry: Entry, method: str, args: Mapping[str, Any]) -> Any:
        """Answer what a turn's step asks.

        Args:
            entry: The event that the turn runs.
            method: `erp.query` and the like.
            args: `{args, key}`, as the worker sent them.

        Raises:
            StoreError: It was not done.
            ValueError: The key is none of a step of this turn.
        """
        from botyard.erp.store import Actor

        key = str(args.get("key"))
        if not key.startswith(f"{entry.event}:") or len(key) > len(entry.event) + MAX_KEY:
            raise ValueError("this key belongs to no step of this turn")
        persona = BotAddress.affinity(entry.key)
        actor = Actor(
            self._address.namespace,
            self._address.name,
            persona,
            thread=entry.key.partition("~")[2],
            task=_task(entry),
            turn=entry.turn,
            event=entry.event,
        )
        # Events may come again with an id that was forgotten; their turn is another one.
        return await self._counted(actor, f"{entry.turn}/{key}", method, args)

    async def between(self, resident: str, method: str, args: Mapping[str, Any]) -> Any:
        """Answer what a resident asks outside of turns: nothing runs that again.

        Raises:
            StoreError: It was not done.
        """
        from botyard.erp.store import Actor

        actor = Actor(self._address.namespace, self._address.name, resident)
        return await self._counted(actor, f"between/{secrets.token_hex(12)}", method, args)

    async def reconfigured(self) -> None:
        """Close the connections of Personas that have another database now."""
        if self._databases is not None:
            await self._databases.keep({persona.database for persona in self._configuration.personas.values()})

    async def close(self) -> None:
        """Close all connections."""
        if self._databases is not None:
            await self._databases.close()

    async def _counted(self, actor: "Actor", key: str, method: str, args: Mapping[str, Any]) -> Any:
        do, outcome = method.removeprefix(PREFIX), "failed"
        try:
            answer = await self._answer(actor, f"{actor.namespace}/{actor.bot}/{actor.persona}/{key}", do, args)
            outcome = "ok"
        except Exception as error:
            outcome = str(getattr(error, "code", outcome))
            raise
        finally:
            from botyard.erp.store.requests import KINDS

            self._count.labels(do if do in KINDS else "other", outcome).inc()
        return answer

    async def _answer(self, actor: "Actor", key: str, do: str, args: Mapping[str, Any]) -> Any:
        # Bots that have no database do without the memory of its client.
        from botyard.erp import store

        persona = self._configuration.personas.get(actor.persona)
        if persona is None or not persona.database:
            raise store.StoreError(
                "NoDatabase", "This Persona has no database: declare spec.erp.connectionSecretRef of the Persona."
            )
        asked = store.read(do, args.get("args"))
        if self._databases is None:
            self._databases = store.Databases()
        database = await self._databases.at(persona.database)
        if isinstance(asked, store.Query):
            return await store.query(database, asked)
        if isinstance(asked, store.Get):
            return await store.get(database, asked)
        return await store.write(database, asked, actor, key)


def _task(entry: Entry) -> str:
    """Return the task that an event is about, or that its thread works on; empty: none."""
    if task := keys.task_of(entry.key):
        return task
    payload = json.loads(entry.payload)
    return str(payload.get("id") or "") if str(payload.get("action")).startswith("task.") else ""
