"""What a child process prints, through a pipe that says nothing about when the child ends.

`asyncio`'s own pipes do: `Process.wait` returns only when every pipe is closed, and a grandchild that went into a
session of its own holds them open for as long as it likes. With a pipe of ours the wait is for the process alone.
"""

import asyncio
import os

LAST_WORDS_SECONDS = 1.0
"""What a child wrote before it ended is read for so long, unless the pipe ends first."""


class OutputPipe:
    """A pipe: its write end goes to a child as stdout and stderr, its read end is read here."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.ReadTransport, write_end: int) -> None:
        self.reader = reader
        self.write_end: int = write_end
        """File descriptor for the child."""
        self._transport = transport

    @classmethod
    async def open(cls, *, limit: int) -> "OutputPipe":
        """Make a pipe.

        Args:
            limit: Bytes of the longest line that `reader.readline` takes.
        """
        read_end, write_end = os.pipe()
        reader = asyncio.StreamReader(limit=limit)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
        )
        return cls(reader, transport, write_end)

    def started(self) -> None:
        """Close this process's copy of the write end: the child has its own now, or will never have one."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    async def finish(self, reading: "asyncio.Task[None]") -> None:
        """Let `reading` read the last words of a child that has ended, then close the pipe whoever still holds it."""
        await asyncio.wait({reading}, timeout=LAST_WORDS_SECONDS)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        self.close()

    def close(self) -> None:
        """Close both ends."""
        self.started()
        self._transport.close()
