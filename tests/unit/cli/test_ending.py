"""The end of `botyard dev` comes, whatever hangs."""

import signal
import subprocess
import sys
import time

HANGS = """
import asyncio, threading
from botyard.cli.dev.ending import Ending
from botyard.cli.dev.processes import Child

async def main():
    ending = Ending(seconds={seconds})
    ending.listen()
    async with Child(["sleep", "3600"], print) as child:
        print(child.pid, flush=True)
        await ending.stop.wait()
        print("ending", flush=True)
        {begin}
        # As a file system that does not answer: neither the event loop nor the interpreter get past it.
        await asyncio.to_thread(threading.Event().wait)

asyncio.run(main())
"""


def run(*, seconds: float, begin: str) -> "subprocess.Popen[str]":
    script = HANGS.format(seconds=seconds, begin=begin)
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def gone(pid: int) -> bool:
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return not found.stdout.strip() or found.stdout.startswith("Z")


def goes(pid: int) -> bool:
    """Whether the process ends; a signal that was sent is not yet a process that is gone."""
    until = time.monotonic() + 60
    while not gone(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return gone(pid)


def test_what_hangs_is_ended_by_force_with_all_children() -> None:
    process = run(seconds=0.2, begin="ending.begin()")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "ended by force" in errors
    assert goes(child)


def test_a_second_signal_ends_everything_at_once() -> None:
    process = run(seconds=3600, begin="ending.begin()")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "ending\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert goes(child)
