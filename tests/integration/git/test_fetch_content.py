"""Content of repositories that must not get through, and what must."""

import os
import tarfile
from pathlib import Path

import pytest

from botyard_operator.fetch import FetchError, Reason
from tests.integration.git.conftest import Fetch
from tests.integration.git.server import GitServer


async def refusal(fetch: Fetch, url: str, **fields: object) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await fetch(url, **fields)
    assert not caught.value.retryable
    assert len(caught.value.commit) == 40, "the commit is known, so that it is not fetched again and again"
    return caught.value


def names(work: Path) -> list[str]:
    (archive,) = work.glob("*/artifact.tar.gz")
    with tarfile.open(archive) as tar:
        return tar.getnames()


@pytest.mark.parametrize("path", ["missing", "bot.py", "lib/missing"])
async def test_a_folder_that_is_none_is_told(git_server: GitServer, fetch: Fetch, path: str) -> None:
    repository = git_server.repository()
    repository.commit({"bot.py": "1", "lib/a.py": "1"})
    error = await refusal(fetch, git_server.url(repository), path=path)
    assert error.reason == Reason.PATH_NOT_FOUND
    assert repr(path) in error.message


async def test_too_many_bytes_are_refused_before_they_are_read(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    repository.commit({"zeros": b"\0" * 10_000_000})
    error = await refusal(fetch, git_server.url(repository), max_bytes=1_000_000)
    assert error.reason == Reason.TOO_LARGE
    assert "10000000" in error.message


async def test_what_is_much_too_large_is_not_even_transferred_to_its_end(
    git_server: GitServer, fetch: Fetch, work: Path
) -> None:
    repository = git_server.repository()
    repository.commit({f"model-{number}.bin": os.urandom(5_000_000) for number in range(4)})
    error = await refusal(fetch, git_server.url(repository), max_bytes=1_000_000)
    assert error.reason == Reason.TOO_LARGE
    assert "spec.limits.size" in error.message
    assert error.commit, "it need not be fetched again to know it"
    kept = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    assert kept < 5_000_000


async def test_a_repository_of_many_files_below_the_limit_of_its_size_comes_in_one_piece(
    git_server: GitServer, fetch: Fetch
) -> None:
    repository = git_server.repository()
    repository.commit({f"f{number}.bin": os.urandom(300_000) for number in range(10)})
    await fetch(git_server.url(repository), max_bytes=4_000_000)
    assert git_server.commands.count("fetch") == 1
    git_server.forget()
    # More than twice as much as is allowed: nothing is taken along unasked any more.
    error = await refusal(fetch, git_server.url(repository), max_bytes=1_000_000)
    assert error.reason == Reason.TOO_LARGE
    git_server.forget()
    result = await fetch(git_server.url(repository), max_bytes=1_000_000, ignore="f[1-9].bin")
    assert result.files == 1


async def test_too_many_files_are_refused(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    repository.commit({f"f{number}": "" for number in range(11)})
    assert (await refusal(fetch, git_server.url(repository), max_files=10)).reason == Reason.TOO_MANY_FILES


async def test_what_is_ignored_counts_for_no_limit(git_server: GitServer, fetch: Fetch, work: Path) -> None:
    repository = git_server.repository()
    repository.commit({"bot.py": "1", **{f"data/f{number}": "" for number in range(20)}})
    await fetch(git_server.url(repository), max_files=1, ignore="data/")
    assert names(work) == ["bot.py"]


async def test_ten_levels_of_a_multiplying_tree_end(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    blob = repository.blob("x")
    tree = repository.raw_tree([("100644", f"f{n}".encode(), blob) for n in range(10)])
    for _ in range(9):
        tree = repository.raw_tree([("40000", f"d{n}".encode(), tree) for n in range(10)])
    repository.commit_tree(tree)
    assert (await refusal(fetch, git_server.url(repository))).reason == Reason.TOO_MANY_FILES


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../outside", "lib/../../outside", "lib/up/../outside", "loop"],
)
async def test_links_out_of_the_tree_are_refused(git_server: GitServer, fetch: Fetch, target: str) -> None:
    repository = git_server.repository()
    # lib/up leads to the root, so that a path through it climbs further than it looks.
    repository.commit({"bot.py": "1", "lib/a.py": "1"}, links={"loop": target, "lib/up": ".."})
    error = await refusal(fetch, git_server.url(repository))
    assert error.reason == Reason.UNSAFE_PATH
    assert "loop" in error.message


async def test_links_within_the_tree_are_kept(git_server: GitServer, fetch: Fetch, work: Path) -> None:
    repository = git_server.repository()
    repository.commit({"lib/a.py": "1"}, links={"bot.py": "lib/a.py", "lib/self": "../lib/a.py"})
    await fetch(git_server.url(repository))
    assert names(work) == ["bot.py", "lib/a.py", "lib/self"]


async def test_a_link_to_the_rest_of_the_repository_is_out_of_the_folder(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    repository.commit({"shared/a.py": "1", "bot/main.py": "1"}, links={"bot/a.py": "../shared/a.py"})
    error = await refusal(fetch, git_server.url(repository), path="bot")
    assert error.reason == Reason.UNSAFE_PATH
    assert "spec.path" in error.message


@pytest.mark.parametrize(
    "name",
    [b"bell\x07.py", b"new\nline.py", b"esc\x1b[31m.py", b"del\x7f", b"caf\xe9.py", b"x" * 300],
    ids=["bell", "newline", "escape", "delete", "not UTF-8", "long"],
)
async def test_names_that_would_harm_a_terminal_or_a_disk_are_refused(
    git_server: GitServer, fetch: Fetch, name: bytes
) -> None:
    repository = git_server.repository()
    repository.commit_tree(repository.raw_tree([("100644", name, repository.blob("x"))]))
    error = await refusal(fetch, git_server.url(repository))
    assert error.reason == Reason.UNSAFE_PATH
    assert error.message.isprintable()


@pytest.mark.parametrize("name", [b"..", b".", b".git", b".GIT", b"../../etc/cron.d/x", b"a/../../b"])
async def test_names_that_git_itself_would_never_write_are_refused(
    git_server: GitServer, fetch: Fetch, name: bytes
) -> None:
    repository = git_server.repository()
    blob = repository.blob("x")
    entries = [("100644", name, blob)]
    if name in {b"..", b".", b".git", b".GIT"}:
        entries = [("40000", name, repository.raw_tree([("100644", b"config", blob)]))]
    repository.commit_tree(repository.raw_tree(entries))
    assert (await refusal(fetch, git_server.url(repository))).reason == Reason.UNSAFE_PATH


async def test_a_name_that_stands_twice_is_refused(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    one, two = repository.blob("1"), repository.blob("2")
    repository.commit_tree(repository.raw_tree([("100644", b"bot.py", one), ("100644", b"bot.py", two)]))
    assert (await refusal(fetch, git_server.url(repository))).reason == Reason.UNSAFE_PATH


async def test_hooks_filters_and_submodules_of_a_repository_do_nothing(
    git_server: GitServer, fetch: Fetch, work: Path, tmp_path: Path
) -> None:
    repository = git_server.repository()
    owned = tmp_path / "owned"
    script = f"#!/bin/sh\ntouch {owned}\n"
    hooks = ("post-checkout", "reference-transaction", "post-index-change", "post-upload-pack")
    for hook in hooks:
        (repository.path / "hooks" / hook).parent.mkdir(exist_ok=True)
    repository.commit(
        {
            "bot.py": "1",
            **{f"hooks/{hook}": script for hook in hooks},
            ".gitattributes": "* filter=evil\n",
            ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch owned"\n',
            ".lfsconfig": "[lfs]\n\turl = http://127.0.0.1:1/\n",
        },
        executables=tuple(f"hooks/{hook}" for hook in hooks),
    )
    await fetch(git_server.url(repository))
    assert not owned.exists()
    assert "hooks/post-checkout" in names(work)


async def test_ignore_rules_come_from_the_spec_and_the_source(git_server: GitServer, fetch: Fetch, work: Path) -> None:
    repository = git_server.repository()
    repository.commit(
        {
            "bot.py": "",
            "README.md": "",
            "docs/guide.md": "",
            "docs/keep.md": "",
            "tests/test_bot.py": "",
            "lib/.botyardignore": "*.txt\n",
            "lib/notes.txt": "",
            "notes.txt": "",
            ".botyardignore": "tests/\n*.md\n",
        }
    )
    await fetch(git_server.url(repository), ignore="!docs/keep.md\n")
    assert names(work) == ["bot.py", "docs/keep.md", "notes.txt"]


async def test_a_source_of_which_nothing_is_left_is_told(git_server: GitServer, fetch: Fetch) -> None:
    repository = git_server.repository()
    repository.commit({"bot.py": "1"})
    assert (await refusal(fetch, git_server.url(repository), ignore="*")).reason == Reason.SOURCE_EMPTY
