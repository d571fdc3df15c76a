"""Time and CPU of a first fetch of a small repository, beside `git clone --depth 1` of it, in one run.

    python -m benchmarks.fetching [--rounds 15] [--json FILE]

The git server is a process of its own. "fetch" is all that the operator does for a Bundle that it does not know yet:
the child process with its limits, git, the rules on names and sizes, the archive, and its way into the store. "clone"
is git's, into a work tree, with the same small environment. Both take turns, and the medians are compared.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from botyard_operator.artifacts import ArtifactStore
from botyard_operator.fetch import Fetcher, FetchRequest
from botyard_operator.fetch.jobs import Fetched, FetchJobs
from tests.integration.git.server import serve

FILES = {f"bots/module_{number}.py": f"VALUE = {number}\n" * 40 for number in range(20)}
PROMISE = 1.3


def run_server(folder: Path, ready: Connection, stop: Event) -> None:
    """Serve a small repository with a history until told to stop."""
    folder.mkdir()
    with serve(folder) as server:
        repository = server.repository()
        for number in range(20):
            repository.commit(FILES | {"bot.py": f"{number}\n"})
        ready.send(server.url(repository))
        stop.wait()


async def fetch(jobs: FetchJobs, url: str, number: int) -> None:
    """Fetch as for a Bundle that nobody knows yet."""
    done = asyncio.Event()
    # Another limit on files is another source: nothing is known of it.
    jobs.start(f"bench-{number}", "bench", FetchRequest(url=url, max_files=1000 + number), done.set)
    await done.wait()
    outcome = jobs.outcome(f"bench-{number}")
    assert outcome is not None
    assert isinstance(outcome.result, Fetched), outcome.result


async def clone(folder: Path, url: str) -> None:
    """Clone as one would by hand."""
    target = folder / "clone"
    process = await asyncio.create_subprocess_exec(
        *("git", "clone", "--quiet", "--depth", "1", url, str(target)),
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"},
    )
    assert await process.wait() == 0
    shutil.rmtree(target)


async def timed(action: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Return the milliseconds that an action took, and those of CPU in this process and children that it waited for."""
    before, started = _cpu(), time.perf_counter()
    await action()
    return 1000 * (time.perf_counter() - started), 1000 * (_cpu() - before)


def _cpu() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


async def measure(folder: Path, url: str, rounds: int) -> dict[str, dict[str, float]]:
    """Return the medians of both sides."""
    store = ArtifactStore(folder / "store")
    store.open()
    jobs = FetchJobs(Fetcher(), store, concurrency=2)
    sides: dict[str, list[tuple[float, float]]] = {"fetch": [], "clone": []}
    await fetch(jobs, url, -1)
    for number in range(rounds):
        sides["fetch"].append(await timed(lambda number=number: fetch(jobs, url, number)))  # type: ignore[misc]
        sides["clone"].append(await timed(lambda: clone(folder, url)))
    cpu = {side: sum(cpu for _, cpu in figures) for side, figures in sides.items()}
    # What fetches cost is known when the server that they are forked from has ended: its start is in it.
    before = _cpu()
    await jobs.close()
    cpu["fetch"] += 1000 * (_cpu() - before)
    return {
        side: {"wall_ms": statistics.median(wall for wall, _ in figures), "cpu_ms": cpu[side] / rounds}
        for side, figures in sides.items()
    }


def main() -> None:
    """Run both sides and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="fetches and clones")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = context.Pipe()
        stop = context.Event()
        server = context.Process(target=run_server, args=(Path(name) / "repositories", theirs, stop), daemon=True)
        server.start()
        try:
            figures = asyncio.run(measure(Path(name), ours.recv(), options.rounds))
        finally:
            stop.set()
            server.join(10)
    for side, figure in figures.items():
        print(f"{side:6} {figure['wall_ms']:8.0f} ms   {figure['cpu_ms']:8.0f} ms of CPU")
    ratio = figures["fetch"]["wall_ms"] / figures["clone"]["wall_ms"]
    print(f"a fetch takes {ratio:.2f} times a clone; the promise is {PROMISE}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
