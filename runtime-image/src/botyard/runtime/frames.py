"""Frames between supervisor, worker host and workers: a length of four bytes, then msgpack.

Every message is a map with the field `t` (its type). Messages of a worker:

    worker       {worker, pid}                    first frame of a worker's connection
    loaded       {model, symbol}                  the bundle is imported
    load_failed  {kind, message, where}
    output       {turn, output}                   leaves before the commit
    call         {turn, id, method, args}         asks the supervisor; `answer` comes back
    drop         {turn, id}                       nobody waits for that answer any more
    done         {turn, outcome}
    pong         {}                               answers `ping`

of the host:

    host         {pid}                            first frame of the host's connection
    exited       {worker, code, signal}

and of the supervisor:

    load         {bundle, entrypoint, credentials, config, concurrency, model}
    run          {turn, request, journal}
    piece        {turn, id, events}                a part of an answer, before it
    answer       {turn, id, result | error, code}
    cancel       {turn}
    ping         {}                               is anybody there?
    spawn, kill  {worker}                         to the host
"""

import asyncio
from typing import Any

import msgpack

MAX_FRAME = 32 * 1024 * 1024
"""Bytes of one frame. A peer that announces more is cut off before anything is allocated."""
_LENGTH = 4


class ProtocolError(Exception):
    """The peer sent something that is not a frame of this protocol."""


Message = dict[str, Any]


class Channel:
    """One connection that speaks frames; reads and writes may go on at the same time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._write_lock = asyncio.Lock()

    async def send(self, message: Message) -> None:
        """Send one message; waits while the peer does not read.

        Raises:
            ConnectionError: The peer is gone.
            ValueError: The message is larger than MAX_FRAME.
            TypeError: The message holds something that msgpack cannot express.
        """
        body: bytes = msgpack.packb(message, use_bin_type=True)
        if len(body) > MAX_FRAME:
            raise ValueError(f"a message of {len(body)} bytes is larger than the limit of {MAX_FRAME}")
        async with self._write_lock:
            try:
                self._writer.write(len(body).to_bytes(_LENGTH, "big") + body)
                await self._writer.drain()
            except RuntimeError as error:
                # uvloop's answer to writing on a connection that is closed.
                raise ConnectionError(str(error)) from error

    async def receive(self) -> Message | None:
        """Return the next message, or None when the peer closed the connection.

        Raises:
            ProtocolError: What came is no frame.
        """
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH), "big")
            if length > MAX_FRAME:
                raise ProtocolError(f"a frame of {length} bytes is larger than the limit of {MAX_FRAME}")
            body = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        try:
            message = msgpack.unpackb(body, raw=False, strict_map_key=False, max_ext_len=0)
        except (ValueError, msgpack.UnpackException) as error:
            raise ProtocolError(f"not msgpack: {error}") from error
        if not isinstance(message, dict) or not isinstance(message.get("t"), str):
            raise ProtocolError("a frame must be a map with the field t")
        return message

    def close(self) -> None:
        """Close the connection; what is not sent yet is dropped."""
        self._writer.close()


async def connect(path: str) -> Channel:
    """Return a channel to the socket at `path`."""
    reader, writer = await asyncio.open_unix_connection(path)
    return Channel(reader, writer)
