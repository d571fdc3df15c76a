"""Submodules: fetched on request, with the same rules, and without handing the Secret to other servers."""

from pathlib import Path

import pytest

from botyard_operator.fetch import Credentials, FetchError, Reason
from tests.integration.git.content import FetchHere, contents
from tests.integration.git.server import GitServer, Repository, git, serve


def with_submodule(repository: Repository, commit: str, url: str, *, path: str = "lib/tools") -> str:
    """Commit a file, a submodule and the `.gitmodules` that names it."""
    index = {"GIT_INDEX_FILE": str(repository.path / "index-submodule")}
    entries = {"bot.py": "1", ".gitmodules": f'[submodule "x"]\n\tpath = {path}\n\turl = {url}\n'}
    records = [f"100644 {repository.blob(text)}\t{name}\0" for name, text in entries.items()]
    records.append(f"160000 {commit}\t{path}\0")
    Path(index["GIT_INDEX_FILE"]).unlink(missing_ok=True)
    stdin = "".join(records).encode()
    git("update-index", "--add", "-z", "--index-info", cwd=repository.path, stdin=stdin, env=index)
    return repository.commit_tree(git("write-tree", cwd=repository.path, env=index))


def test_a_submodule_is_part_of_the_bundle_on_request(git_server: GitServer, fetch_here: FetchHere, work: Path) -> None:
    tools, bots = git_server.repository("tools.git"), git_server.repository("bots.git")
    with_submodule(bots, tools.commit({"a.py": "A", "notes.md": "N"}), "../tools.git")
    fetch_here(git_server.url(bots))
    assert contents(work).keys() == {"bot.py", ".gitmodules"}
    fetch_here(git_server.url(bots), submodules=True, ignore="*.md\n.gitmodules")
    assert contents(work) == {"bot.py": "1", "lib/tools/a.py": "A"}
    fetch_here(git_server.url(bots), submodules=True, path="lib")
    assert contents(work) == {"tools/a.py": "A", "tools/notes.md": "N"}


def test_a_submodule_elsewhere_gets_no_credentials(
    git_server: GitServer, fetch_here: FetchHere, tmp_path: Path
) -> None:
    git_server.username, git_server.password = "nora", "secret"
    bots = git_server.repository("bots.git")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with serve(elsewhere) as other:
        tools = other.repository("tools.git")
        with_submodule(bots, tools.commit({"a.py": "A"}), other.url(tools))
        credentials = Credentials(username="nora", password="secret")
        fetch_here(git_server.url(bots), submodules=True, credentials=credentials)
        assert other.requests
        assert set(other.authorizations) == {""}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ext::sh -c date", Reason.URL_INVALID),
        ("ext::date", Reason.PROTOCOL_NOT_ALLOWED),
        ("file:///etc", Reason.PROTOCOL_NOT_ALLOWED),
        ("/etc", Reason.PROTOCOL_NOT_ALLOWED),
        ("../missing.git", Reason.REPOSITORY_NOT_FOUND),
    ],
)
def test_a_submodule_that_leads_nowhere_good_is_refused(
    git_server: GitServer, fetch_here: FetchHere, url: str, reason: Reason
) -> None:
    bots = git_server.repository("bots.git")
    with_submodule(bots, "a" * 40, url)
    with pytest.raises(FetchError) as caught:
        fetch_here(git_server.url(bots), submodules=True)
    assert caught.value.reason == reason


def test_a_submodule_without_an_entry_is_told(git_server: GitServer, fetch_here: FetchHere) -> None:
    bots = git_server.repository("bots.git")
    with_submodule(bots, "a" * 40, '../x.git\n[submodule "x"]\n\tpath = other')
    with pytest.raises(FetchError, match="lib/tools") as caught:
        fetch_here(git_server.url(bots), submodules=True)
    assert caught.value.reason == Reason.SUBMODULE_INVALID
