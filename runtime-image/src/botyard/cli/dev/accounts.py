"""What bots on this machine use of paid services, written where bundles expect it: KDCUBE_STORAGE_PATH."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from redis.asyncio import Redis

from botyard.cli.errors import CommandError
from botyard.gateway.routes import RoutingTable, address
from botyard.usage.writer import UsageWriter
from botyard.workflow.accounting.recorder import STORAGE_VARIABLE
from botyard.workflow.storage import StorageError, open_storage


@contextlib.asynccontextmanager
async def accounts_written(redis: Redis, table: RoutingTable) -> AsyncIterator[None]:
    """Write events of accounting for the length of the context, to the last one; nothing where no storage is named.

    Raises:
        CommandError: The storage's address is not understood.
    """
    uri = os.environ.get(STORAGE_VARIABLE, "")
    if not uri:
        yield
        return
    try:
        storage = open_storage(uri)
    except StorageError as error:
        raise CommandError(f"dev: {STORAGE_VARIABLE}: {error}") from None
    writer = UsageWriter(redis, storage, lambda: map(address, table))
    await writer.announce()
    writing = asyncio.create_task(writer.run())
    try:
        yield
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        for route in table:
            await writer.drain(address(route))
