"""Bundles from real repositories: where they come to lie, what an update changes, what stays."""

import asyncio
import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botyard.workflow import git_bundles
from botyard.workflow.configuration import Config
from botyard.workflow.errors import GitBundleError
from botyard.workflow.loader import get_workflow_instance
from kdcube_ai_app.infra.plugin import bundle_registry
from kdcube_ai_app.infra.plugin.git_bundle import ensure_git_bundle
from tests.integration.git.server import Repository, git, serve
from tests.integration.git.ssh import make_key, serve_ssh
from tests.unit.workflow.host import HEAD

SETTINGS = ("SHALLOW", "CLONE_DEPTH", "ALWAYS_PULL", "ATOMIC", "KEEP", "TTL_HOURS")


def code(version: str) -> dict[str, str]:
    workflow = "@agentic_workflow(name='w')\nclass W(BaseEntrypoint):\n    def say(self):\n        return helper.WHO\n"
    return {"bundle/app.py": f"{HEAD}\nfrom . import helper\n\n{workflow}", "bundle/helper.py": f"WHO = '{version}'\n"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*(f"BUNDLE_GIT_{each}" for each in SETTINGS), "GIT_SSH_COMMAND", "AGENTIC_BUNDLES_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOST_BUNDLES_PATH", str(tmp_path / "bundles"))
    return tmp_path / "bundles"


@pytest.fixture(autouse=True)
def _nothing_in_use() -> Iterator[None]:
    yield
    bundle_registry.set_registry({})
    for folder in list(git_bundles._in_use):
        git_bundles.release(folder)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    (tmp_path / "repositories").mkdir()
    made = Repository.create(tmp_path / "repositories", "bots.git")
    made.commit(code("v1"))
    return made


def ensure(repository: Repository, ref: str | None = "main", **more: Any) -> git_bundles.GitBundlePaths:
    return ensure_git_bundle(bundle_id="demo", git_url=str(repository.path), git_ref=ref, git_subdir="bundle", **more)


def who(paths: git_bundles.GitBundlePaths) -> str:
    return (paths.bundle_root / "helper.py").read_text().split("'")[1]


def resolve(name: str | None = None) -> Any:
    found = bundle_registry.resolve_bundle(name)
    return asyncio.run(found) if inspect.isawaitable(found) else found


def test_each_update_has_a_folder_of_its_own(root: Path, repository: Repository) -> None:
    first = ensure(repository, atomic=True)
    assert first.repo_root.parent == root
    assert first.repo_root.name.startswith("demo__main__2")
    assert first.bundle_root == first.repo_root / "bundle"
    assert ensure(repository, atomic=True) == first
    repository.commit(code("v2"))
    second = ensure(repository, atomic=True)
    assert second.repo_root != first.repo_root
    assert (who(first), who(second)) == ("v1", "v2")


def test_without_atomic_updates_the_folder_is_the_documented_one(root: Path, repository: Repository) -> None:
    first = ensure(repository, atomic=False)
    assert first.bundle_root == root / "demo__main" / "bundle"
    repository.commit(code("v2"))
    assert ensure(repository, atomic=False).bundle_root == first.bundle_root
    assert who(first) == "v2"
    assert ensure(repository, ref=None, atomic=False).repo_root == root / "demo"


@pytest.mark.parametrize("depth", ["", "1"])
def test_a_pin_stays_what_it_is(
    root: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch, depth: str
) -> None:
    monkeypatch.setenv("BUNDLE_GIT_CLONE_DEPTH", depth)
    pinned = repository.commit(code("pinned"))
    repository.tag("v1.0", pinned, annotated=True)
    repository.commit(code("tip"))
    for ref in ("v1.0", pinned, pinned[:10]):
        found = ensure(repository, ref, atomic=True)
        assert (who(found), found.commit) == ("pinned", pinned)
        assert ensure(repository, ref, atomic=True) == found


def test_a_shallow_clone_is_shallow(root: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNDLE_GIT_CLONE_DEPTH", "2")
    for number in range(5):
        repository.commit(code(f"v{number}"))
    found = ensure_git_bundle(
        bundle_id="demo", git_url=f"file://{repository.path}", git_ref="main", git_subdir="bundle"
    )
    counted = subprocess.run(
        ["git", "rev-list", "--count", "HEAD"], cwd=found.repo_root, capture_output=True, text=True, check=True
    )
    assert counted.stdout.strip() == "2"


def test_the_newest_folders_stay_and_those_in_use(
    root: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUNDLE_GIT_KEEP", "2")
    used = ensure(repository)
    git_bundles.use(used.repo_root)
    made = [used]
    for number in range(4):
        repository.commit(code(f"w{number}"))
        made.append(ensure(repository))
    assert {path.name for path in root.glob("demo__main__*")} == {
        each.repo_root.name for each in (made[0], made[3], made[4])
    }
    assert who(used) == "v1"


def test_a_folder_that_another_process_uses_stays(
    root: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUNDLE_GIT_KEEP", "1")
    used = ensure(repository).repo_root
    program = (
        "import sys; from pathlib import Path; from botyard.workflow import git_bundles\n"
        "git_bundles.use(Path(sys.argv[1])); print('using', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(used)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdin is not None
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == "using\n"
        repository.commit(code("v2"))
        ensure(repository)
        assert used.is_dir()
    finally:
        other.stdin.close()
        other.wait(90)
        other.stdout.close()
    repository.commit(code("v3"))
    ensure(repository)
    assert not used.exists()


def test_old_folders_go_after_their_time(root: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNDLE_GIT_TTL_HOURS", "1")
    old = ensure(repository).repo_root
    os.utime(old, (1, 1))
    repository.commit(code("v2"))
    new = ensure(repository).repo_root
    assert not old.exists()
    assert new.is_dir()


def test_a_registry_resolves_git_and_runs_the_new_code(
    root: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"git_url": str(repository.path), "git_ref": "main", "git_subdir": "bundle", "module": "app"}
    bundle_registry.set_registry({"demo": entry})

    def say() -> str:
        spec = resolve()
        return str(get_workflow_instance(spec.loadable(), Config())[0].say())

    assert say() == "v1"
    spec = resolve()
    assert spec.path.startswith(str(root / "demo__main__"))
    assert spec.git_commit == git("rev-parse", "main", cwd=repository.path)
    assert len(spec.version) == 12
    repository.commit(code("v2"))
    assert say() == "v1"
    bundle_registry.upsert_bundles({"demo": entry})
    assert say() == "v2"
    repository.commit(code("v3"))
    assert say() == "v2"
    monkeypatch.setenv("BUNDLE_GIT_ALWAYS_PULL", "1")
    assert say() == "v3"


def test_a_remote_that_is_away_leaves_what_was_there(root: Path, repository: Repository, tmp_path: Path) -> None:
    entry = {"git_url": str(repository.path), "git_ref": "main", "git_subdir": "bundle", "module": "app"}
    bundle_registry.set_registry({"demo": entry})
    before = resolve()
    repository.path.rename(tmp_path / "moved.git")
    bundle_registry.set_registry({"demo": entry})
    assert resolve().path == before.path
    bundle_registry.set_registry({"other": entry})
    with pytest.raises(GitBundleError, match="git"):
        resolve()
    assert not list(root.glob("other*"))


def test_what_cannot_be_had_leaves_nothing_and_no_secret(root: Path, repository: Repository) -> None:
    with pytest.raises(GitBundleError):
        ensure(repository, "no-such-branch")
    with pytest.raises(GitBundleError, match="has no folder 'nothing'"):
        ensure_git_bundle(bundle_id="demo", git_url=str(repository.path), git_ref="main", git_subdir="nothing")
    with pytest.raises(GitBundleError) as caught:
        ensure_git_bundle(bundle_id="demo", git_url="http://s3cret@127.0.0.1:9/x.git", git_ref="main")
    assert "s3cret" not in str(caught.value)
    for url, ref in [("ext::sh -c true", "main"), ("--upload-pack=x", "main"), (str(repository.path), "--option")]:
        with pytest.raises(GitBundleError, match="is no"):
            ensure_git_bundle(bundle_id="demo", git_url=url, git_ref=ref)
    assert [path.name for path in root.iterdir()] == [git_bundles.LOCKS]


def test_a_subdir_that_is_a_link_out_of_the_repository_is_refused(root: Path, repository: Repository) -> None:
    blob = repository.blob("/etc")
    tree = repository.raw_tree([("120000", b"bundle", blob)])
    repository.commit_tree(tree)
    with pytest.raises(GitBundleError, match="leads out"):
        ensure(repository)


def test_processes_that_want_the_same_clone_it_once(root: Path, repository: Repository) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(ensure(repository).repo_root)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(set(found)) == 1
    assert len(found) == 4


def test_a_private_repository_over_ssh(
    root: Path, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_key(tmp_path / "id")
    with serve_ssh(repository.path.parent, tmp_path) as server:
        server.authorize(tmp_path / "id")
        (tmp_path / "known_hosts").write_text(server.known_hosts)
        monkeypatch.setenv("GIT_SSH_KEY_PATH", str(tmp_path / "id"))
        monkeypatch.setenv("GIT_SSH_KNOWN_HOSTS", str(tmp_path / "known_hosts"))
        monkeypatch.setenv("GIT_SSH_STRICT_HOST_KEY_CHECKING", "yes")
        url = server.url("bots.git")
        assert who(ensure_git_bundle(bundle_id="demo", git_url=url, git_ref="main", git_subdir="bundle")) == "v1"
        (tmp_path / "known_hosts").write_text("")
        with pytest.raises(GitBundleError, match="Host key verification failed"):
            ensure_git_bundle(bundle_id="other", git_url=url, git_ref="main", git_subdir="bundle")


@pytest.mark.parametrize(("login", "account"), [("s3cret", ("s3cret", "")), ("x-token:s3cret", ("x-token", "s3cret"))])
def test_a_private_repository_with_a_token_in_its_address(
    root: Path, tmp_path: Path, login: str, account: tuple[str, str]
) -> None:
    (tmp_path / "served").mkdir()
    with serve(tmp_path / "served", username=account[0], password=account[1]) as server:
        repository = server.repository()
        repository.commit(code("v1"))
        url = server.url(repository).replace("://", f"://{login}@")
        found = ensure_git_bundle(bundle_id="demo", git_url=url, git_ref="main", git_subdir="bundle")
        assert who(found) == "v1"
        kept = [path for path in found.repo_root.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
        assert kept == []
