"""Which commit a ref becomes, and what that costs."""

import os
import tarfile
from pathlib import Path

import pytest

from botyard_operator.fetch import FetchError, FetchSettings, Reason, Ref
from tests.integration.git.conftest import Fetch
from tests.integration.git.server import GitServer, git

FILES = {"bot.py": "print('hello')\n", "lib/tools.py": "X = 1\n"}


def contents(work: Path) -> dict[str, str]:
    (archive,) = work.glob("*/artifact.tar.gz")
    with tarfile.open(archive) as tar:
        return {
            member.name: (file.read().decode() if (file := tar.extractfile(member)) else "")
            for member in tar
            if member.isfile()
        }


async def test_a_branch_becomes_an_archive_of_its_head(git_server: GitServer, fetch: Fetch, work: Path) -> None:
    repository = git_server.repository()
    repository.commit({"old.py": "1"})
    head = repository.commit(FILES)
    result = await fetch(git_server.url(repository))
    assert (result.outcome, result.commit, result.files) == ("fetched", head, 2)
    assert contents(work) == FILES


async def test_only_the_folder_asked_for_is_taken_and_downloaded(
    git_server: GitServer, fetch: Fetch, work: Path
) -> None:
    repository = git_server.repository()
    repository.commit({"repairs/bot.py": "1", "other/huge.bin": os.urandom(5_000_000)})
    # Nothing near the size of the other folder may arrive.
    await fetch(
        git_server.url(repository),
        path="repairs",
        settings=FetchSettings(max_download_bytes=1_000_000),
    )
    assert contents(work) == {"bot.py": "1"}


@pytest.mark.parametrize("annotated", [False, True])
async def test_a_tag_becomes_the_commit_it_names(git_server: GitServer, fetch: Fetch, annotated: bool) -> None:
    repository = git_server.repository()
    commit = repository.commit(FILES)
    repository.tag("v1.0", commit, annotated=annotated)
    repository.commit({"newer.py": "1"})
    result = await fetch(git_server.url(repository), ref=Ref(kind="tag", name="v1.0"))
    assert result.commit == commit


@pytest.mark.parametrize("protocol_v2", [True, False], ids=["hands out any commit", "refuses bare commits"])
async def test_an_old_commit_is_found(git_server: GitServer, fetch: Fetch, protocol_v2: bool) -> None:
    repository = git_server.repository()
    old = repository.commit(FILES)
    for number in range(60):
        repository.commit({"bot.py": str(number)})
    git_server.protocol_v2 = protocol_v2
    result = await fetch(git_server.url(repository), ref=Ref(kind="commit", name=old))
    assert (result.commit, result.files) == (old, 2)


async def test_a_server_without_filters_works(git_server: GitServer, fetch: Fetch, work: Path) -> None:
    repository = git_server.repository()
    git("config", "uploadpack.allowFilter", "false", cwd=repository.path)
    repository.commit(FILES)
    await fetch(git_server.url(repository))
    assert contents(work) == FILES


async def test_an_old_server_that_filters_but_refuses_single_objects_works(
    git_server: GitServer, fetch: Fetch, work: Path
) -> None:
    repository = git_server.repository()
    repository.commit({"other.txt": "x", **{f"a/{name}": content for name, content in FILES.items()}})
    git_server.protocol_v2 = False
    await fetch(git_server.url(repository), path="a")
    assert contents(work) == FILES


async def test_a_sha256_repository_works(git_server: GitServer, fetch: Fetch, work: Path) -> None:
    repository = git_server.repository(object_format="sha256")
    head = repository.commit(FILES)
    result = await fetch(git_server.url(repository))
    assert len(head) == 64
    assert result.commit == head
    assert contents(work) == FILES
    assert Ref(name="main").revision(head) == f"main@sha256:{head}"


async def test_a_force_push_backwards_is_followed(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    first = repository.commit(FILES)
    second = repository.commit({"bot.py": "2"})
    url = git_server.url(repository)
    assert (await fetch(url)).commit == second
    repository.reset("main", first)
    result = await fetch(url, known_commit=second)
    assert (result.outcome, result.commit) == ("fetched", first)


async def test_an_unchanged_remote_costs_one_ls_remote(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    head = repository.commit(FILES)
    result = await fetch(git_server.url(repository), known_commit=head)
    assert result.outcome == "unchanged"
    assert git_server.requests == [
        "GET /bots.git/info/refs?service=git-upload-pack",
        "POST /bots.git/git-upload-pack",
    ]


async def test_a_held_commit_costs_nothing(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    head = repository.commit(FILES)
    result = await fetch(git_server.url(repository), ref=Ref(kind="commit", name=head), known_commit=head)
    assert result.outcome == "unchanged"
    assert git_server.requests == []


async def test_the_same_tree_gives_the_same_digest_whatever_the_history(git_server: GitServer, fetch: Fetch) -> None:
    one, two = git_server.repository("one.git"), git_server.repository("two.git")
    one.commit({"x": "1"})
    one.commit(FILES, executables=("bot.py",), links={"latest.py": "bot.py"})
    two.commit(dict(reversed(FILES.items())), executables=("bot.py",), links={"latest.py": "bot.py"}, message="else")
    first, second = await fetch(git_server.url(one)), await fetch(git_server.url(two))
    assert first.commit != second.commit
    assert first.digest == second.digest


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        (Ref(name="missing"), Reason.REF_NOT_FOUND),
        (Ref(kind="tag", name="v9"), Reason.REF_NOT_FOUND),
        (Ref(kind="commit", name="f" * 40), Reason.REF_NOT_FOUND),
    ],
)
async def test_a_ref_that_is_not_there_is_named(git_server: GitServer, fetch: Fetch, ref: Ref, reason: Reason) -> None:
    repository = git_server.repository()
    repository.commit(FILES)
    with pytest.raises(FetchError) as caught:
        await fetch(git_server.url(repository), ref=ref)
    assert caught.value.reason == reason
    assert ref.name in caught.value.message
    assert caught.value.retryable


async def test_a_missing_branch_is_told_with_those_that_exist(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    repository.commit(FILES, branch="trunk")
    with pytest.raises(FetchError, match=r"no branch 'main'.*there: trunk"):
        await fetch(git_server.url(repository))


async def test_an_empty_repository_is_told(git_server: GitServer, fetch: Fetch) -> None:
    with pytest.raises(FetchError) as caught:
        await fetch(git_server.url(git_server.repository()))
    assert caught.value.reason == Reason.REPOSITORY_EMPTY
