"""CPU and time of looking at remotes that have not changed, beside git and Python processes that ask, in one run.

    python -m benchmarks.polling [--looks 40] [--json FILE]

The git servers are a process of their own, so that the children measured are the operator's alone. "look" is what an
unchanged Bundle costs; "system authorities" trusts those of the machine and the server's own, as a public host needs;
"kept" has a server that keeps connections open, all others end them after each request, so that a look pays for a new
one and its handshake, as with 500 hosts of their own; "git" is one `git ls-remote` in a process with the same limits,
as remotes over SSH and old servers are asked; "child" is the whole fetch child, which asks the same and stops there;
"shared" are 20 Bundles of one repository. Measured is the operator's own CPU too: reading the store, starting
processes, the event loop.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from botyard_operator.artifacts import ArtifactStore
from botyard_operator.fetch import Credentials, Fetcher, FetchRequest
from botyard_operator.fetch.jobs import Fetched, FetchJobs
from botyard_operator.fetch.listing import RefLister
from botyard_operator.fetch.runner import FetchSettings
from botyard_operator.fetch.url import parse_git_url
from tests.integration.git.server import Certificate, serve

SHARING = 20
SYSTEM_AUTHORITIES = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))


def run_servers(folder: Path, ready: Connection, stop: Event) -> None:
    """Serve one repository over http and https until told to stop."""
    root = folder / "repositories"
    root.mkdir()
    certificate = Certificate.create(folder)
    with (
        serve(root, keep_alive=False) as plain,
        serve(root, keep_alive=False, certificate=certificate) as encrypted,
        serve(root, certificate=certificate) as kept,
    ):
        repository = plain.repository()
        repository.commit({"bot.py": "1"})
        urls = (plain.url(repository), encrypted.url(repository), kept.url(repository))
        ready.send((*urls, certificate.authority.read_text()))
        stop.wait()


class Costs:
    """CPU of this process and its children, and the time, per look."""

    def __init__(self) -> None:
        self._before = self._now()

    @staticmethod
    def _now() -> tuple[float, float, float]:
        own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        cpu = (usage.ru_utime + usage.ru_stime for usage in (own, children))
        return *cpu, time.perf_counter()  # type: ignore[return-value]

    def per(self, looks: int) -> dict[str, float]:
        """Return milliseconds for each look since the start."""
        own, children, wall = (
            1000 * (after - before) / looks for after, before in zip(self._now(), self._before, strict=True)
        )
        return {"operator_ms": own, "children_ms": children, "cpu_ms": own + children, "wall_ms": wall}


async def poll(jobs: FetchJobs, request: FetchRequest, key: str, max_age: float) -> None:
    """Look at the remote once, as a reconcile makes a Bundle do."""
    done = asyncio.Event()
    jobs.start(key, "bench", request, done.set, max_age=max_age)
    await done.wait()
    outcome = jobs.outcome(key)
    assert outcome is not None
    assert isinstance(outcome.result, Fetched), outcome.result


async def looks(folder: Path, request: FetchRequest, count: int, *, keys: int = 1) -> dict[str, float]:
    """Measure looks of Bundles that follow one remote."""
    store = ArtifactStore(folder)
    store.open()
    jobs = FetchJobs(Fetcher(), store, concurrency=2)
    names = [str(number) for number in range(keys)]
    for _ in range(2):
        await asyncio.gather(*(poll(jobs, request, name, 60) for name in names))
    costs = Costs()
    for _ in range(count):
        await asyncio.gather(*(poll(jobs, request, name, 60) for name in names))
    figures = costs.per(count * keys)
    await jobs.close()
    return figures


async def processes(folder: Path, request: FetchRequest, count: int) -> dict[str, float]:
    """Measure looks by git, each in a process."""
    lister, url = RefLister(FetchSettings()), parse_git_url(request.url, protocols=request.protocols)
    folder.mkdir()
    costs = Costs()
    for _ in range(count):
        work = Path(tempfile.mkdtemp(dir=folder))
        found = await lister.list(
            url,
            [request.ref.full_name],
            work,
            protocols=request.protocols,
            credentials=request.credentials,
            timeout_seconds=60,
        )
        assert found
    return costs.per(count)


async def children(folder: Path, request: FetchRequest, count: int) -> dict[str, float]:
    """Measure whole fetch children that find the commit that is known."""
    fetcher = Fetcher()
    folder.mkdir()
    commit = (await fetcher.fetch(request, Path(tempfile.mkdtemp(dir=folder)))).commit
    known = request.model_copy(update={"known_commit": commit})
    costs = Costs()
    for _ in range(count):
        result = await fetcher.fetch(known, Path(tempfile.mkdtemp(dir=folder)))
        assert result.outcome == "unchanged"
    return costs.per(count)


async def measure(
    folder: Path, http: str, https: str, kept: str, authority: str, count: int
) -> dict[str, dict[str, float]]:
    """Return the figures by name."""
    plain = FetchRequest(url=http)
    private = FetchRequest(url=https, credentials=Credentials(ca_certificate=authority))
    everybody = f"{SYSTEM_AUTHORITIES.read_text()}\n{authority}"
    public = FetchRequest(url=https, credentials=Credentials(ca_certificate=everybody))
    return {
        "http: look": await looks(folder / "a", plain, count),
        "https, own authority: look": await looks(folder / "b", private, count),
        "https, system authorities: look": await looks(folder / "c", public, count),
        "https, system authorities: kept": await looks(folder / "k", public.model_copy(update={"url": kept}), count),
        "http: shared": await looks(folder / "d", plain, count, keys=SHARING),
        "https, system authorities: shared": await looks(folder / "e", public, count, keys=SHARING),
        "http: git": await processes(folder / "p", plain, count),
        "https, system authorities: git": await processes(folder / "q", public, count),
        "http: child": await children(folder / "f", plain, max(5, count // 4)),
    }


def main() -> None:
    """Run all sides and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--looks", type=int, default=40, metavar="N", help="looks for each figure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, theirs = context.Pipe()
        stop = context.Event()
        (folder / "servers").mkdir()
        servers = context.Process(target=run_servers, args=(folder / "servers", theirs, stop), daemon=True)
        servers.start()
        try:
            http, https, kept, authority = ours.recv()
            figures = asyncio.run(measure(folder, http, https, kept, authority, options.looks))
        finally:
            stop.set()
            servers.join(10)
    print(f"{'':36} {'operator':>9} {'children':>9} {'CPU':>9} {'wall':>9}   500 Bundles at 1m")
    for title, figure in figures.items():
        core = figure["cpu_ms"] * 500 / 60 / 10
        cells = " ".join(f"{figure[key]:6.1f} ms" for key in ("operator_ms", "children_ms", "cpu_ms", "wall_ms"))
        print(f"{title:36} {cells}   {core:5.1f} % of a core")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
