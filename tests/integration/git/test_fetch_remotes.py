"""Remotes that refuse, mislead, stall or talk nonsense."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from botyard_operator.fetch import Credentials, FetchError, FetchSettings, Reason
from tests.integration.git.conftest import Fetch
from tests.integration.git.server import GitServer, git, serve, serve_raw

FILES = {"bot.py": "1"}
PASSWORD = "s3cret/pass word"
TOKEN = "tok-1234567890"
ADVERTISEMENT = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"


async def failure(fetch: Fetch, url: str, **fields: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await fetch(url, **fields)
    return caught.value


async def test_basic_credentials_open_a_private_repository(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    head = repository.commit(FILES)
    git_server.username, git_server.password = "nora", PASSWORD
    result = await fetch(git_server.url(repository), credentials=Credentials(username="nora", password=PASSWORD))
    assert result.commit == head


async def test_a_bearer_token_opens_a_private_repository(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    head = repository.commit(FILES)
    git_server.bearer = TOKEN
    result = await fetch(git_server.url(repository), credentials=Credentials(bearer_token=TOKEN))
    assert result.commit == head


@pytest.mark.parametrize(
    "credentials",
    [Credentials(), Credentials(username="nora", password="wrong-one"), Credentials(bearer_token="wrong-one")],
    ids=["none", "wrong password", "wrong token"],
)
async def test_refused_credentials_are_told_and_never_shown(
    git_server: GitServer, fetch: Fetch, credentials: Credentials
) -> None:
    repository = git_server.repository()
    repository.commit(FILES)
    git_server.username, git_server.password = "nora", PASSWORD
    error = await failure(fetch, git_server.url(repository), credentials=credentials)
    assert error.reason == Reason.AUTHENTICATION_FAILED
    assert not error.retryable
    assert "secretRef" in error.message
    assert "wrong-one" not in error.message


async def test_credentials_are_on_no_command_line(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    repository.commit(FILES)
    git_server.bearer = TOKEN
    git_server.hold = threading.Event()
    task = asyncio.create_task(fetch(git_server.url(repository), credentials=Credentials(bearer_token=TOKEN)))
    assert await asyncio.to_thread(git_server.arrived.wait, 120)
    with_url, with_token = processes_with(git_server.url(repository)), processes_with(TOKEN)
    git_server.hold.set()
    await task
    assert with_url
    assert not with_token


async def test_an_unknown_host_is_told(fetch: Fetch) -> None:
    error = await failure(fetch, "http://no-such-host.invalid/bots.git")
    assert error.reason == Reason.HOST_NOT_FOUND
    assert error.retryable


async def test_a_closed_port_is_told(fetch: Fetch, tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        url = server.url("bots.git")
    assert (await failure(fetch, url)).reason == Reason.CONNECTION_FAILED


async def test_an_unknown_repository_is_told(git_server: GitServer, fetch: Fetch) -> None:
    assert (await failure(fetch, git_server.url("none.git"))).reason == Reason.REPOSITORY_NOT_FOUND


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_server_in_trouble_is_tried_again(git_server: GitServer, fetch: Fetch, status: int) -> None:
    git_server.status = status
    error = await failure(fetch, git_server.url(git_server.repository()))
    assert (error.reason, error.retryable) == (Reason.SERVER_ERROR, True)


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c 'touch /tmp/owned'",
        "ext::sh",
        "file:///etc",
        "/etc",
        "git://127.0.0.1/bots.git",
        "ssh://git@127.0.0.1/bots.git",
        "git@127.0.0.1:bots.git",
    ],
)
async def test_transports_off_the_list_never_run(fetch: Fetch, url: str) -> None:
    error = await failure(fetch, url, protocols=("http", "https"))
    assert error.reason in {Reason.PROTOCOL_NOT_ALLOWED, Reason.URL_INVALID}


async def test_the_list_of_the_installation_opens_a_transport(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    head = repository.commit(FILES)
    result = await fetch(f"file://{repository.path}", protocols=("file",))
    assert result.commit == head


async def test_a_redirect_within_the_host_is_followed(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    head = repository.commit(FILES)
    git_server.redirects["/bots"] = "/bots.git"
    assert (await fetch(git_server.url("bots"))).commit == head


async def test_a_redirect_to_another_host_is_refused_without_credentials_leaving(
    git_server: GitServer, fetch: Fetch, tmp_path: Path
) -> None:
    root = tmp_path / "elsewhere"
    root.mkdir()
    with serve(root) as elsewhere:
        repository = elsewhere.repository()
        repository.commit(FILES)
        git_server.redirects["/bots.git"] = elsewhere.url(repository, host="localhost")
        error = await failure(fetch, git_server.url("bots.git"), credentials=Credentials(bearer_token=TOKEN))
        assert error.reason == Reason.REDIRECT_REFUSED
        assert "localhost" in error.message
        assert elsewhere.requests == []


async def test_redirects_in_a_circle_end(git_server: GitServer, fetch: Fetch) -> None:
    git_server.redirects["/a.git"] = "/b.git"
    git_server.redirects["/b.git"] = "/a.git"
    assert (await failure(fetch, git_server.url("a.git"))).reason == Reason.REDIRECT_REFUSED


async def test_a_server_that_stalls_is_given_up_and_its_processes_end(fetch: Fetch) -> None:
    with serve_raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n", stall=True
    ) as url:
        error = await failure(fetch, url, timeout_seconds=2)
        assert error.reason == Reason.TIMED_OUT
        assert not processes_with(url)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\xff\x13garbage\n" * 100,
        b"HTTP/1.1 200 OK\r\n\r\n<html>welcome</html>",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\nzzzz nonsense",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n"
        b"001e# service=git-upload-pack\n0000000eversion 2\n",
        b"",
    ],
    ids=["bytes", "a page", "bad packet", "cut off", "nothing"],
)
async def test_garbage_is_told_as_such(fetch: Fetch, answer: bytes) -> None:
    with serve_raw(answer) as url:
        error = await failure(fetch, url)
    assert error.reason == Reason.REMOTE_UNREADABLE, error.message


async def test_a_download_beyond_the_installations_limit_is_cut_off(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    repository.commit({"model.bin": os.urandom(3_000_000)})
    error = await failure(fetch, git_server.url(repository), settings=FetchSettings(max_download_bytes=1_000_000))
    assert error.reason == Reason.TOO_LARGE
    assert error.commit


async def test_a_child_that_is_killed_leaves_no_archive(git_server: GitServer, fetch: Fetch, work: Path) -> None:
    repository = git_server.repository()
    repository.commit(FILES)
    git_server.hold = threading.Event()
    task = asyncio.create_task(fetch(git_server.url(repository)))
    assert await asyncio.to_thread(git_server.arrived.wait, 120)
    children = processes_with("botyard_operator.fetch.fork_server")
    (child,) = [pid for pid in children if Path(f"/proc/{pid}/cwd").resolve().is_relative_to(work)]
    os.kill(child, 9)
    with pytest.raises(FetchError, match="killed by signal 9") as caught:
        await task
    assert caught.value.retryable
    assert not archives(work)
    assert not processes_with(git_server.url(repository))


async def test_a_cancelled_fetch_leaves_no_process(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    git_server.hold = threading.Event()
    task = asyncio.create_task(fetch(git_server.url(repository)))
    assert await asyncio.to_thread(git_server.arrived.wait, 120)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not processes_with(git_server.url(repository))


async def test_the_machines_git_configuration_has_no_say(
    git_server: GitServer, fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = git_server.repository()
    head = repository.commit(FILES)
    home = tmp_path / "home"
    home.mkdir()
    git("config", "--file", str(home / ".gitconfig"), "url.http://127.0.0.1:1/.insteadOf", "http://", cwd=home)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    assert (await fetch(git_server.url(repository))).commit == head


def archives(work: Path) -> list[Path]:
    return list(work.glob("*/artifact.tar.gz"))


def processes_with(argument: str) -> list[int]:
    """Return the processes of this machine that have `argument` on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if argument.encode() in command and state != "Z":
            found.append(int(path.name))
    return found


async def test_a_fetch_that_needs_more_memory_than_it_may_have_is_told(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    repository.commit({"bot.py": "1", "data.bin": os.urandom(48 << 20)})
    settings = FetchSettings(memory_bytes=60 << 20)
    with pytest.raises(FetchError) as caught:
        await fetch(git_server.url(repository), settings=settings)
    assert (caught.value.reason, caught.value.retryable) == (Reason.OUT_OF_MEMORY, True), caught.value.message
    assert "memory" in caught.value.message
