"""Publishing a folder in a repository, with real git."""

import subprocess
from pathlib import Path

import pytest

from demo.repository import publish


@pytest.fixture
def served(tmp_path: Path) -> str:
    """An empty repository to push to."""
    path = tmp_path / "served.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", path], check=True)
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle's folder."""
    path = tmp_path / "bundle"
    (path / "parts").mkdir(parents=True)
    (path / "bot.py").write_text("one\n")
    (path / "parts/text.md").write_text("two\n")
    return path


def git(*arguments: str, cwd: Path | str) -> str:
    author = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
    return subprocess.run(
        ["git", *author, *arguments], cwd=cwd, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_second_publication_changes_nothing(folder: Path, served: str) -> None:
    assert publish(folder, served, into="repairs").startswith("pushed")
    first = git("rev-parse", "main", cwd=served)
    assert publish(folder, served, into="repairs").startswith("unchanged")
    assert git("rev-parse", "main", cwd=served) == first
    assert git("ls-tree", "-r", "--name-only", "main", cwd=served).split() == [
        "repairs/bot.py",
        "repairs/parts/text.md",
    ]


def test_a_lost_repository_gets_the_same_commit_again(folder: Path, served: str, tmp_path: Path) -> None:
    publish(folder, served, into="repairs")
    again = tmp_path / "again.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", again], check=True)
    publish(folder, str(again), into="repairs")
    assert git("rev-parse", "main", cwd=again) == git("rev-parse", "main", cwd=served)


def test_changed_content_replaces_what_the_demo_pushed(folder: Path, served: str) -> None:
    publish(folder, served, into="repairs")
    (folder / "bot.py").write_text("three\n")
    assert publish(folder, served, into="repairs").startswith("pushed")
    assert git("show", "main:repairs/bot.py", cwd=served) == "three"


def test_a_persons_commit_is_left_alone(folder: Path, served: str, tmp_path: Path) -> None:
    publish(folder, served, into="repairs")
    clone = tmp_path / "clone"
    git("clone", "--quiet", served, str(clone), cwd=tmp_path)
    (clone / "repairs/bot.py").write_text("mine\n")
    git("commit", "--quiet", "--all", "--message", "Mine", cwd=clone)
    git("push", "--quiet", cwd=clone)
    assert publish(folder, served, into="repairs").startswith("left at your commit")
    assert git("show", "main:repairs/bot.py", cwd=served) == "mine"
