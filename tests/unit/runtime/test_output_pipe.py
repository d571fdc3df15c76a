"""A child's output does not say when the child ends: a daemon may keep it open."""

import asyncio
import contextlib
import os
import signal

from botyard.runtime.output_pipe import OutputPipe


async def test_a_child_ends_though_its_daemon_keeps_the_pipe_open() -> None:
    pipe = await OutputPipe.open(limit=1000)
    # setsid: the daemon is not in the child's process group.
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", "setsid sleep 3600 & echo $!; echo last words", stdout=pipe.write_end
    )
    pipe.started()
    lines: list[str] = []

    async def read() -> None:
        while line := await pipe.reader.readline():
            lines.append(line.decode().strip())

    reading = asyncio.create_task(read())
    try:
        async with asyncio.timeout(60):
            assert await process.wait() == 0
            await pipe.finish(reading)
        assert lines[1:] == ["last words"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(lines[0]), signal.SIGKILL)
