"""Looks at remotes: cheap, shared, and never a way to what the credentials do not open."""

import asyncio
import os
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from botyard_operator.artifacts import ArtifactStore
from botyard_operator.fetch import Credentials, Fetcher, FetchError, FetchRequest, FetchResult, Reason, Ref
from botyard_operator.fetch.jobs import Fetched, FetchJobs
from tests.integration.git.server import GitServer, Repository, git, serve_raw
from tests.integration.git.test_fetch_remotes import processes_with
from tests.unit.operator.clocks import StillClock

TOKEN = "tok-1234567890"
FIRST_LOOK = ["GET /bots.git/info/refs?service=git-upload-pack", "POST /bots.git/git-upload-pack"]
LOOK = FIRST_LOOK[1:]


class CountingFetcher(Fetcher):
    """The real fetcher, and how many of its children ran at once for each URL."""

    def __init__(self) -> None:
        super().__init__()
        self.fetches = 0
        self.active: dict[str, int] = {}
        self.most_of_one = 0
        self.most = 0

    async def fetch(self, request: FetchRequest, work_dir: Path) -> FetchResult:
        self.fetches += 1
        self.active[request.url] = self.active.get(request.url, 0) + 1
        self.most_of_one = max(self.most_of_one, *self.active.values())
        self.most = max(self.most, sum(self.active.values()))
        try:
            return await super().fetch(request, work_dir)
        finally:
            self.active[request.url] -= 1


class Poller:
    """Fetch jobs as the reconciler starts them, waited for."""

    def __init__(self, root: Path, *, concurrency: int = 2, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.store = ArtifactStore(root)
        self.store.open()
        self.fetcher = CountingFetcher()
        self.jobs = FetchJobs(self.fetcher, self.store, concurrency=concurrency, monotonic=monotonic)

    async def poll(
        self, url: str, *, key: str = "a", tag: str = "1", max_age: float = 60.0, **fields: object
    ) -> Fetched | FetchError:
        done = asyncio.Event()
        request = FetchRequest.model_validate({"url": url, "timeout_seconds": 120, **fields})
        self.jobs.start(key, tag, request, done.set, max_age=max_age)
        async with asyncio.timeout(240):
            await done.wait()
        outcome = self.jobs.outcome(key)
        assert outcome is not None
        return outcome.result

    async def good(self, url: str, **fields: object) -> Fetched:
        result = await self.poll(url, **fields)  # type: ignore[arg-type]
        assert isinstance(result, Fetched), result
        return result

    async def bad(self, url: str, **fields: object) -> FetchError:
        result = await self.poll(url, **fields)  # type: ignore[arg-type]
        assert isinstance(result, FetchError), result
        return result


@pytest.fixture
async def poller(tmp_path: Path) -> AsyncIterator[Poller]:
    poller = Poller(tmp_path / "store")
    yield poller
    await poller.jobs.close()


@pytest.fixture
def repository(git_server: GitServer) -> Repository:
    return git_server.repository()


async def test_an_unchanged_remote_is_one_request_without_a_process(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    url = git_server.url(repository)
    repository.commit({"bot.py": "1"})
    first = await poller.good(url)
    git_server.forget()
    second = await poller.good(url)
    assert (second.commit, second.digest, second.size) == (first.commit, first.digest, first.size)
    assert git_server.requests == FIRST_LOOK, "what the server can do is asked once"
    git_server.forget()
    git_server.arrived.clear()
    git_server.hold = threading.Event()
    task = asyncio.create_task(poller.good(url))
    assert await asyncio.to_thread(git_server.arrived.wait, 120)
    processes = processes_with(url)
    git_server.hold.set()
    await task
    assert git_server.requests == LOOK
    assert not processes
    assert poller.fetcher.fetches == 1


async def test_a_server_of_an_older_protocol_is_asked_by_git(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    url = git_server.url(repository)
    git_server.protocol_v2 = False
    repository.commit({"bot.py": "1"})
    for _ in range(3):
        await poller.good(url)
    commit = repository.commit({"bot.py": "2"})
    assert (await poller.good(url)).commit == commit
    assert poller.fetcher.fetches == 2


async def test_a_server_that_changes_its_mind_about_the_protocol_is_asked_by_git(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    url = git_server.url(repository)
    repository.commit({"bot.py": "1"})
    for _ in range(2):
        await poller.good(url)
    git_server.protocol_v2 = False
    for _ in range(2):
        await poller.good(url)
    git_server.protocol_v2 = True
    git_server.forget()
    await poller.good(url)
    assert git_server.requests == FIRST_LOOK
    assert poller.fetcher.fetches == 1


async def test_a_connection_that_the_server_ended_meanwhile_is_made_anew(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    url = git_server.url(repository)
    repository.commit({"bot.py": "1"})
    git_server.keep_alive = git_server.says_goodbye = False
    for _ in range(2):
        await poller.good(url)
    git_server.forget()
    for _ in range(3):
        await poller.good(url)
    assert git_server.requests == LOOK * 3, "git would ask what the server can do"


async def test_a_sha256_repository_is_looked_at(poller: Poller, git_server: GitServer) -> None:
    repository = git_server.repository("long.git", object_format="sha256")
    repository.commit({"bot.py": "1"})
    url = git_server.url(repository)
    for _ in range(3):
        await poller.good(url)
    commit = repository.commit({"bot.py": "2"})
    assert (await poller.good(url)).commit == commit
    assert poller.fetcher.fetches == 2


async def test_a_pinned_commit_that_is_here_is_not_asked_for_at_all(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    commit = repository.commit({"bot.py": "1"})
    ref = Ref(kind="commit", name=commit)
    await poller.good(git_server.url(repository), ref=ref)
    git_server.forget()
    assert (await poller.good(git_server.url(repository), ref=ref)).commit == commit
    assert git_server.requests == []


@pytest.mark.parametrize("annotated", [False, True])
async def test_a_tag_is_followed_when_it_moves_and_only_then(
    poller: Poller, git_server: GitServer, repository: Repository, annotated: bool
) -> None:
    ref = Ref(kind="tag", name="v1")
    first = repository.commit({"bot.py": "1"})
    repository.tag("v1", first, annotated=annotated)
    for _ in range(2):
        assert (await poller.good(git_server.url(repository), ref=ref)).commit == first
    assert poller.fetcher.fetches == 1
    second = repository.commit({"bot.py": "2"})
    repository.tag("v1", second, annotated=annotated)
    assert (await poller.good(git_server.url(repository), ref=ref)).commit == second


async def test_bundles_of_one_repository_share_one_look(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    url = git_server.url(repository)
    branches = ("main", "next")
    commits = {branch: repository.commit({"bot.py": branch}, branch=branch) for branch in branches}
    keys = [(f"{branch}-{number}", Ref(name=branch)) for branch in branches for number in range(10)]
    for _ in range(2):
        await asyncio.gather(*(poller.good(url, key=key, ref=ref) for key, ref in keys))
    git_server.forget()
    results = await asyncio.gather(*(poller.good(url, key=key, ref=ref) for key, ref in keys))
    assert [result.commit for result in results] == [commits[ref.name] for _, ref in keys]
    assert git_server.requests == LOOK
    assert poller.fetcher.fetches == 2


async def test_a_look_is_shared_within_the_interval_but_never_told_to_the_same_bundle_twice(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    url = git_server.url(repository)
    repository.commit({"bot.py": "1"})
    await poller.good(url, key="a")
    asked = await poller.good(url, key="b")
    pushed = repository.commit({"bot.py": "2"})
    git_server.forget()
    shared = await poller.good(url, key="a")
    assert git_server.requests == []
    assert (shared.commit, shared.looked) == (asked.commit, asked.looked), "a hears what b was told before the push"
    assert (await poller.good(url, key="a")).commit == pushed


@pytest.mark.parametrize("change", [{"tag": "2"}, {"max_age": 0.0}], ids=["a changed spec", "an older look"])
async def test_what_is_too_old_or_before_a_change_is_not_shared(
    poller: Poller, git_server: GitServer, repository: Repository, change: dict[str, object]
) -> None:
    url = git_server.url(repository)
    repository.commit({"bot.py": "1"})
    await poller.good(url, key="b")
    await poller.good(url, key="a")
    await poller.good(url, key="a")
    pushed = repository.commit({"bot.py": "2"})
    assert (await poller.good(url, key="b", **change)).commit == pushed


async def test_a_look_with_other_credentials_is_not_shared(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    url = git_server.url(repository)
    repository.commit({"bot.py": "1"})
    git_server.bearer = TOKEN
    for key in ("a", "b", "a"):
        await poller.good(url, key=key, credentials=Credentials(bearer_token=TOKEN))
    for credentials in (Credentials(), Credentials(bearer_token="wrong-one")):
        error = await poller.bad(url, key="b", credentials=credentials)
        assert error.reason == Reason.AUTHENTICATION_FAILED
        assert "wrong-one" not in error.message


async def test_credentials_are_on_no_command_line(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    url = git_server.url(repository)
    # Of the older protocol, so that git asks in a process.
    git_server.protocol_v2 = False
    repository.commit({"bot.py": "1"})
    git_server.bearer = TOKEN
    await poller.good(url, credentials=Credentials(bearer_token=TOKEN))
    git_server.hold = threading.Event()
    task = asyncio.create_task(poller.good(url, credentials=Credentials(bearer_token=TOKEN)))
    give_up = time.monotonic() + 120
    while not (with_url := processes_with(url)) and time.monotonic() < give_up:
        git_server.hold.set()
        git_server.hold = threading.Event()
        await asyncio.sleep(0.05)
    with_token = processes_with(TOKEN)
    git_server.hold.set()
    git_server.hold = None
    await task
    assert with_url
    assert not with_token


async def test_a_repository_that_moved_within_its_host_is_then_asked_where_it_is(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    repository.commit({"bot.py": "1"})
    git_server.redirects["/bots"] = "/bots.git"
    url = git_server.url("bots")
    await poller.good(url)
    git_server.forget()
    await poller.good(url)
    assert git_server.requests == FIRST_LOOK
    # It moves back: the address that was found is forgotten.
    git_server.redirects.clear()
    (git_server.root / "bots.git").rename(git_server.root / "bots")
    assert (await poller.good(url)).commit
    assert poller.fetcher.fetches == 2


async def test_a_branch_that_is_gone_is_told_as_by_a_fetch(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    repository.commit({"bot.py": "1"})
    repository.commit({"bot.py": "1"}, branch="other")
    ref = Ref(name="other")
    await poller.good(git_server.url(repository), ref=ref)
    git("update-ref", "-d", "refs/heads/other", cwd=repository.path)
    error = await poller.bad(git_server.url(repository), ref=ref)
    assert (error.reason, error.retryable) == (Reason.REF_NOT_FOUND, True)
    assert "there: main" in error.message


async def test_a_server_that_stalls_is_given_up_and_its_processes_end(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    url = git_server.url(repository)
    repository.commit({"bot.py": "1"})
    await poller.good(url)
    git_server.hold = threading.Event()
    error = await poller.bad(url, timeout_seconds=2)
    assert error.reason == Reason.TIMED_OUT
    assert not processes_with(url)


async def test_garbage_is_told_as_such(poller: Poller, git_server: GitServer, repository: Repository) -> None:
    repository.commit({"bot.py": "1"})
    await poller.good(git_server.url(repository))
    with serve_raw(b"\x00\xff\x13garbage\n" * 100) as url:
        request = FetchRequest(url=url)
        known = poller.store.known(FetchRequest(url=git_server.url(repository)).source_key("1"))
        assert known is not None
        poller.store.remember(request.source_key("1"), *known)
        error = await poller.bad(url)
    assert error.reason == Reason.REMOTE_UNREADABLE
    assert poller.fetcher.fetches == 1


async def test_one_repository_is_fetched_by_one_child_at_a_time(
    tmp_path: Path, git_server: GitServer, repository: Repository
) -> None:
    poller = Poller(tmp_path / "store", concurrency=4)
    repository.commit({f"{number}/bot.py": str(number) for number in range(4)})
    url = git_server.url(repository)
    results = await asyncio.gather(*(poller.good(url, key=f"k{number}", path=str(number)) for number in range(4)))
    assert len({result.digest for result in results}) == 4
    assert (poller.fetcher.fetches, poller.fetcher.most_of_one) == (4, 1)


async def test_repositories_are_fetched_beside_each_other_up_to_the_limit(
    tmp_path: Path, git_server: GitServer
) -> None:
    poller = Poller(tmp_path / "store", concurrency=2)
    urls = []
    for number in range(5):
        repository = git_server.repository(f"r{number}.git")
        repository.commit({"bot.py": str(number)})
        urls.append(git_server.url(repository))
    await asyncio.gather(*(poller.good(url, key=url) for url in urls))
    assert (poller.fetcher.fetches, poller.fetcher.most) == (5, 2)


async def test_a_fetch_that_waited_finds_what_another_one_brought(
    poller: Poller, git_server: GitServer, repository: Repository
) -> None:
    repository.commit({"bot.py": "1"})
    url = git_server.url(repository)
    results = await asyncio.gather(*(poller.good(url, key=f"k{number}") for number in range(5)))
    assert len({result.digest for result in results}) == 1
    assert poller.fetcher.fetches == 1


async def test_a_host_in_trouble_is_left_alone_by_all_who_wait_for_it(tmp_path: Path, git_server: GitServer) -> None:
    clock = StillClock()
    poller = Poller(tmp_path / "store", monotonic=clock.monotonic)
    urls = [git_server.url(git_server.repository(f"r{number}.git")) for number in range(10)]
    git_server.status = 503
    errors = await asyncio.gather(*(poller.bad(url, key=url) for url in urls))
    assert {error.reason for error in errors} == {Reason.SERVER_ERROR}
    assert poller.fetcher.fetches == 2, "the two that ran together; the others heard it from them"
    host = git_server.url("").split("/")[2]
    assert 0 < poller.jobs.pause_of(host) <= 2, "failures at one time count once"
    assert poller.jobs.pause_of("other.example.com") == 0


async def test_a_host_that_is_well_again_has_no_pause(
    tmp_path: Path, git_server: GitServer, repository: Repository
) -> None:
    clock = StillClock()
    poller = Poller(tmp_path / "store", monotonic=clock.monotonic)
    repository.commit({"bot.py": "1"})
    url = git_server.url(repository)
    host = url.split("/")[2]
    git_server.status = 503
    await poller.bad(url)
    clock.seconds += poller.jobs.pause_of(host)
    await poller.bad(url, tag="2")
    assert poller.jobs.pause_of(host) > 2, "the second pause is longer"
    git_server.status = 0
    clock.seconds += poller.jobs.pause_of(host)
    await poller.good(url, tag="3")
    assert poller.jobs.pause_of(host) == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a file system of its own needs the right to mount: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(
    "content", [os.urandom(3_000_000), b"zeros" * 600_000], ids=["git's pack", "the archive, stored uncompressed"]
)
async def test_a_full_disk_is_told_and_leaves_what_is_there(
    small_disk: Path, git_server: GitServer, repository: Repository, content: bytes
) -> None:
    poller = Poller(small_disk)
    url = git_server.url(repository)
    repository.commit({"bot.py": "1"})
    good = await poller.good(url)
    repository.commit({"model.bin": content})
    for _ in range(2):
        error = await poller.bad(url)
        assert (error.reason, error.retryable) == (Reason.DISK_FULL, True)
        assert "volume is full" in error.message
    assert list((small_disk / "tmp").iterdir()) == []
    assert poller.store.verify(good.digest)
    repository.commit({"bot.py": "2"})
    assert (await poller.good(url)).digest != good.digest


async def test_an_artifact_beyond_the_quota_is_told_and_the_old_one_stays(
    tmp_path: Path, git_server: GitServer, repository: Repository
) -> None:
    poller = Poller(tmp_path / "store")
    poller.store = ArtifactStore(tmp_path / "store", quota_bytes=25_000)
    poller.jobs = FetchJobs(poller.fetcher, poller.store, concurrency=1)
    url = git_server.url(repository)
    repository.commit({"bot.py": "1"})
    good = await poller.good(url)
    repository.commit({"bot.py": "x" * 20_000})
    error = await poller.bad(url)
    assert error.reason == Reason.DISK_FULL
    assert "quota of 25000 bytes" in error.message
    assert poller.store.digests() == {good.digest}
