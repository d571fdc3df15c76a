"""Git repositories inside the cluster: the server, and a folder's content as the same commit for the same content."""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from demo.commands import run
from demo.kubectl import Kubectl

AUTHOR = "Botyard demo"
EMAIL = "demo@botyard.dev"
DATE = "2026-01-01T00:00:00Z"
BRANCH = "main"

_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_AUTHOR_NAME": AUTHOR,
    "GIT_AUTHOR_EMAIL": EMAIL,
    "GIT_AUTHOR_DATE": DATE,
    "GIT_COMMITTER_NAME": AUTHOR,
    "GIT_COMMITTER_EMAIL": EMAIL,
    "GIT_COMMITTER_DATE": DATE,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
}


def serve(kubectl: Kubectl, image: str, repositories: Sequence[str], *, namespace: str) -> None:
    """Run the git server, as Service `git`, with these repositories and wait until it answers.

    Raises:
        DemoError: It does not come up.
    """
    manifest = Path(__file__).with_name("git-server.yaml").read_text()
    manifest = manifest.replace("image: IMAGE", f"image: {image}").replace(
        "args: REPOSITORIES", f"args: {json.dumps(list(repositories))}"
    )
    kubectl.apply(manifest, namespace=namespace)
    kubectl("-n", namespace, "rollout", "status", "deployment/git", "--timeout=120s", seconds=130)


def git(*arguments: str, cwd: Path, seconds: float = 60.0) -> str:
    """Run git as the demo's author, without the person's own configuration.

    Raises:
        DemoError: It failed.
    """
    return run(["git", *arguments], cwd=cwd, env=_ENVIRONMENT, seconds=seconds).strip()


@contextmanager
def commit_of(folder: Path, *, into: str) -> Iterator[tuple[Path, str]]:
    """Commit the content of a folder, below the path `into`, in a repository of its own.

    Yields:
        The working tree and the id of its commit; equal content has an equal id.
    """
    with tempfile.TemporaryDirectory(prefix="botyard-demo-") as temporary:
        tree = Path(temporary)
        git("init", "--quiet", f"--initial-branch={BRANCH}", cwd=tree)
        for source in sorted(folder.rglob("*")):
            if source.is_file() and "__pycache__" not in source.parts:
                target = tree / into / source.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read_bytes())
        git("add", "--all", cwd=tree)
        git("commit", "--quiet", "--message", f"Add {into}", cwd=tree)
        yield tree, git("rev-parse", "HEAD", cwd=tree)


def publish(folder: Path, url: str, *, into: str) -> str:
    """Make a served repository hold a folder's content; commits that a person pushed are left alone.

    Args:
        folder: Whose content is wanted.
        url: Of the repository, which may be empty.
        into: Path inside the repository.

    Returns:
        What was done, for the person at the terminal.

    Raises:
        DemoError: The repository cannot be reached or does not accept the push.
    """
    with commit_of(folder, into=into) as (tree, commit):
        advertised = git("ls-remote", url, f"refs/heads/{BRANCH}", cwd=tree).split()
        if advertised and advertised[0] == commit:
            return f"unchanged at {commit[:12]}"
        if advertised:
            git("fetch", "--quiet", url, BRANCH, cwd=tree)
            if git("log", "-1", "--format=%ae", "FETCH_HEAD", cwd=tree) != EMAIL:
                return f"left at your commit {advertised[0][:12]}"
        git("push", "--quiet", "--force", url, f"HEAD:refs/heads/{BRANCH}", cwd=tree)
        return f"pushed {commit[:12]}"
