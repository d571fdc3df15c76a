"""Only what the right key signed becomes an artifact: SSH and OpenPGP, commits and tags, made by real programs."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from botyard_operator.fetch import FetchError, Reason, Ref
from botyard_operator.fetch.request import Verification
from tests.integration.git.content import FetchHere
from tests.integration.git.server import GitServer, Repository, git
from tests.integration.git.ssh import make_key, public_key

TAG = Ref(kind="tag", name="v1.0.0")


def signed_commit(repository: Repository, config: list[str], env: dict[str, str] | None = None) -> str:
    """Commit on top of main with a signature."""
    tree = git("rev-parse", "main^{tree}", cwd=repository.path)
    settings = [part for pair in config for part in ("-c", pair)]
    commit = git(*settings, "commit-tree", "-S", tree, "-m", "signed", cwd=repository.path, env=env)
    git("update-ref", "refs/heads/main", commit, cwd=repository.path)
    return commit


def signed_by(key: Path) -> list[str]:
    return ["gpg.format=ssh", f"user.signingkey={key}"]


def signed_tag(repository: Repository, key: Path, name: str) -> None:
    settings = [part for pair in signed_by(key) for part in ("-c", pair)]
    git(*settings, "tag", "-s", "-m", name, name, "main", cwd=repository.path)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    make_key(ours)
    make_key(theirs)
    return ours, theirs


@pytest.fixture
def repository(git_server: GitServer) -> Repository:
    made = git_server.repository()
    made.commit({"bot.py": "1"})
    return made


@pytest.fixture
def gpg_folder() -> Iterator[Path]:
    """A folder with a path short enough for the socket of gpg's agent."""
    with tempfile.TemporaryDirectory(prefix="gpg") as folder:
        yield Path(folder)


def test_a_commit_signed_with_ssh_is_taken_and_others_are_refused(
    git_server: GitServer, repository: Repository, fetch_here: FetchHere, keys: tuple[Path, Path]
) -> None:
    ours, theirs = keys
    verify = Verification(keys=(public_key(ours),))
    url = git_server.url(repository)
    unsigned = git("rev-parse", "main", cwd=repository.path)
    with pytest.raises(FetchError) as caught:
        fetch_here(url, verify=verify)
    assert (caught.value.reason, caught.value.commit) == (Reason.NOT_SIGNED, unsigned)
    signed_commit(repository, signed_by(theirs))
    with pytest.raises(FetchError) as caught:
        fetch_here(url, verify=verify)
    assert caught.value.reason == Reason.SIGNATURE_REFUSED
    good = signed_commit(repository, signed_by(ours))
    result = fetch_here(url, verify=verify)
    assert result.commit == good
    assert "ED25519 key SHA256:" in result.verified


def test_a_changed_commit_does_not_keep_its_signature(
    git_server: GitServer, repository: Repository, fetch_here: FetchHere, keys: tuple[Path, Path]
) -> None:
    commit = signed_commit(repository, signed_by(keys[0]))
    text = git("cat-file", "commit", commit, cwd=repository.path)
    forged = f"{text}\nand more\n".encode()
    oid = git("hash-object", "-t", "commit", "-w", "--stdin", cwd=repository.path, stdin=forged)
    repository.reset("main", oid)
    with pytest.raises(FetchError) as caught:
        fetch_here(git_server.url(repository), verify=Verification(keys=(public_key(keys[0]),)))
    assert caught.value.reason == Reason.SIGNATURE_REFUSED


def test_a_tag_must_be_signed_under_its_own_name(
    git_server: GitServer, repository: Repository, fetch_here: FetchHere, keys: tuple[Path, Path]
) -> None:
    verify = Verification(mode="Tag", keys=(public_key(keys[0]),))
    url = git_server.url(repository)
    repository.tag("v1.0.0", git("rev-parse", "main", cwd=repository.path))
    with pytest.raises(FetchError) as caught:
        fetch_here(url, ref=TAG, verify=verify)
    assert caught.value.reason == Reason.NOT_SIGNED
    signed_tag(repository, keys[0], "v0.9.0")
    old = git("rev-parse", "refs/tags/v0.9.0", cwd=repository.path)
    git("update-ref", "refs/tags/v1.0.0", old, cwd=repository.path)
    with pytest.raises(FetchError, match=r"under the name 'v0\.9\.0'") as caught:
        fetch_here(url, ref=TAG, verify=verify)
    assert caught.value.reason == Reason.SIGNATURE_REFUSED
    git("update-ref", "-d", "refs/tags/v1.0.0", cwd=repository.path)
    signed_tag(repository, keys[0], "v1.0.0")
    result = fetch_here(url, ref=TAG, verify=verify)
    assert result.verified.startswith("tag v1.0.0 is signed by ")
    assert result.identity == git("rev-parse", "refs/tags/v1.0.0", cwd=repository.path)
    with pytest.raises(FetchError) as caught:
        fetch_here(url, ref=TAG, verify=verify.model_copy(update={"mode": "TagAndHEAD"}))
    assert caught.value.reason == Reason.NOT_SIGNED


def test_a_commit_signed_with_openpgp_is_taken_for_the_right_key_only(
    git_server: GitServer, repository: Repository, fetch_here: FetchHere, gpg_folder: Path
) -> None:
    public = {}
    for name in ("ours", "theirs"):
        home = gpg_folder / name
        home.mkdir(mode=0o700)
        gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
        subprocess.run([*gpg, "--quick-gen-key", "nora@example.com", "ed25519", "sign"], check=True, timeout=120)
        public[name] = subprocess.run(
            [*gpg, "--armor", "--export"], check=True, capture_output=True, text=True, timeout=120
        ).stdout
    env = {"GNUPGHOME": str(gpg_folder / "ours")}
    try:
        good = signed_commit(repository, ["gpg.format=openpgp", "user.signingkey=nora@example.com"], env)
    finally:
        for name in public:
            agent = ["gpgconf", "--homedir", str(gpg_folder / name), "--kill", "gpg-agent"]
            subprocess.run(agent, check=False, env=dict(os.environ), timeout=60)
    url = git_server.url(repository)
    result = fetch_here(url, verify=Verification(keys=(public["theirs"], public["ours"])))
    assert (result.commit, "is signed by" in result.verified) == (good, True)
    with pytest.raises(FetchError) as caught:
        fetch_here(url, verify=Verification(keys=(public["theirs"],)))
    assert caught.value.reason == Reason.SIGNATURE_REFUSED
