"""What a resident may ask of the platform beside its turns: accept an event, read and write documents and rows."""

import json
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from botyard.core.address import BotAddress
from botyard.core.documents import Documents
from botyard.core.inbox import Inbox
from botyard.core.retention import Retention
from botyard.runtime.configuration import Configuration
from botyard.runtime.database_calls import PREFIX, DatabaseCalls
from botyard.runtime.persistence import persist


class ResidentCalls:
    """Answers the residents of one replica."""

    def __init__(
        self,
        redis: Redis,
        address: BotAddress,
        configuration: Configuration,
        retention: Retention,
        databases: DatabaseCalls,
    ) -> None:
        self._databases = databases
        self._address = address
        self._configuration = configuration
        self._inbox = Inbox(redis, retention=retention)
        self._documents = Documents(redis)

    async def __call__(self, resident: str, method: str, args: Mapping[str, Any]) -> Any:
        """Return what `resident` asked for.

        Raises:
            ValueError: There is no such method, or the arguments are wrong.
            CoreError: It is refused.
            StoreError: The company's database was asked, and refuses.
        """
        if method.startswith(PREFIX):
            return await self._databases.between(resident, method, args)
        if method == "post":
            return await self._post(resident, args)
        if method.startswith("documents."):
            return await self._document(method.removeprefix("documents."), resident, args)
        raise ValueError(f"the platform has no {method!r}")

    async def _post(self, resident: str, args: Mapping[str, Any]) -> None:
        """Accept an event that a resident asks for between events."""
        key, payload = str(args["key"]), dict(args["payload"])
        if BotAddress.affinity(key) != resident:
            raise ValueError(f"{resident} may not cause events of {key!r}")
        size = len(json.dumps(payload))
        if size > (limit := self._configuration.bot.limits.max_input_bytes):
            raise ValueError(f"the event has {size} bytes as JSON; {limit} are allowed")
        event = f"{resident}.{args['id']}"[:200] if args.get("id") else None
        await persist(
            lambda: self._inbox.accept(
                self._address, key=key, kind="action", payload=payload, may_act_for_others=True, event_id=event
            )
        )

    async def _document(self, do: str, resident: str, args: Mapping[str, Any]) -> Any:
        """Do something with a document; the workspace is the Bot's namespace, whatever the bundle says."""
        workspace, documents = self._address.namespace, self._documents
        path = str(args.get("path") or "/")
        if do == "list":
            after, limit = str(args.get("after") or ""), int(args.get("limit") or 1000)
            return await persist(lambda: documents.paths(workspace, path, after=after, limit=limit))
        if do == "read":
            version = int(args.get("version") or 0)
            return (await persist(lambda: documents.read(workspace, path, version))).as_record()
        if do == "versions":
            return [found.as_record() for found in await persist(lambda: documents.versions(workspace, path))]
        expected = str(args.get("expected") or "")
        if do == "remove":
            return await persist(lambda: documents.remove(workspace, path, expected=expected))
        if do == "write":
            return await persist(
                lambda: documents.write(
                    workspace,
                    path,
                    str(args["content"]),
                    by=f"{self._address.name}/{resident}",
                    create=args.get("create") is True,
                    expected=expected,
                    write_id=str(args.get("write") or ""),
                )
            )
        raise ValueError(f"the platform has no documents.{do}")
