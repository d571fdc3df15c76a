"""The server that fetch children are forked from: it comes, dies and goes without a fetch being lost for it."""

import asyncio
import os
import signal
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from botyard_operator.fetch import Fetcher, FetchError, FetchRequest, Reason
from botyard_operator.fetch.forks import ForkServer
from tests.integration.git.server import GitServer, Repository

SECRET = "known-to-one-child-only"


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher()
    yield fetcher
    await fetcher.close()


@pytest.fixture
def repository(git_server: GitServer) -> Repository:
    repository = git_server.repository()
    repository.commit({"bot.py": "1"})
    return repository


def request(server: GitServer, repository: Repository) -> FetchRequest:
    return FetchRequest(url=server.url(repository), timeout_seconds=120)


def folder(work: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=work))


def server_of(fetcher: Fetcher) -> int:
    server = fetcher._forks._server
    assert server is not None
    return server.pid


async def until(holds: object, seconds: float = 90) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # type: ignore[operator]
            await asyncio.sleep(0.02)


def is_gone(pid: int) -> bool:
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_many_fetches_have_one_server(
    fetcher: Fetcher, git_server: GitServer, repository: Repository, work: Path
) -> None:
    results = await asyncio.gather(*(fetcher.fetch(request(git_server, repository), folder(work)) for _ in range(5)))
    assert len({result.digest for result in results}) == 1
    first = server_of(fetcher)
    await fetcher.fetch(request(git_server, repository), folder(work))
    assert server_of(fetcher) == first


async def test_a_server_that_was_killed_between_fetches_is_started_again(
    fetcher: Fetcher, git_server: GitServer, repository: Repository, work: Path
) -> None:
    await fetcher.fetch(request(git_server, repository), folder(work))
    killed = server_of(fetcher)
    os.kill(killed, signal.SIGKILL)
    result = await fetcher.fetch(request(git_server, repository), folder(work))
    assert result.outcome == "fetched"
    assert server_of(fetcher) != killed


async def test_children_end_with_their_server_and_it_is_told(
    fetcher: Fetcher, git_server: GitServer, repository: Repository, work: Path
) -> None:
    git_server.hold = threading.Event()
    task = asyncio.create_task(fetcher.fetch(request(git_server, repository), folder(work)))
    assert await asyncio.to_thread(git_server.arrived.wait, 120)
    os.kill(server_of(fetcher), signal.SIGKILL)
    with pytest.raises(FetchError) as caught:
        await task
    assert (caught.value.reason, caught.value.retryable) == (Reason.FETCH_FAILED, True)
    assert "killed by signal 9" in caught.value.message
    git_server.hold.set()


async def test_an_idle_server_goes_and_comes_again(git_server: GitServer, repository: Repository, work: Path) -> None:
    fetcher = Fetcher()
    fetcher._forks = ForkServer(idle_seconds=0.01)
    async with asyncio.timeout(180):
        await fetcher.fetch(request(git_server, repository), folder(work))
        await until(lambda: fetcher._forks._server is None)
        assert (await fetcher.fetch(request(git_server, repository), folder(work))).outcome == "fetched"
    await fetcher.close()


async def test_the_server_ends_with_the_operator(git_server: GitServer, repository: Repository, work: Path) -> None:
    fetcher = Fetcher()
    await fetcher.fetch(request(git_server, repository), folder(work))
    pid = server_of(fetcher)
    connection = fetcher._forks._socket
    assert connection is not None
    # What the kernel does when the operator is killed.
    connection.close()
    await until(lambda: is_gone(pid))
    await fetcher.close()


async def test_what_one_child_got_to_know_the_next_one_does_not_inherit(
    fetcher: Fetcher, git_server: GitServer, repository: Repository, work: Path
) -> None:
    told = request(git_server, repository).model_copy(update={"ignore": f"/{SECRET}\n"})
    await fetcher.fetch(told, folder(work))
    memory = Path(f"/proc/{server_of(fetcher)}")
    found = False
    with (memory / "mem").open("rb", buffering=0) as pages:
        for line in (memory / "maps").read_text().splitlines():
            place, rights, *_ = line.split()
            if "r" not in rights or "w" not in rights:
                continue
            start, end = (int(part, 16) for part in place.split("-"))
            pages.seek(start)
            found = found or SECRET.encode() in pages.read(end - start)
    assert not found
