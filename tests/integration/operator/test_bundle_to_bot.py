"""From a commit to the pods: git, Bundle, artifact server and Bot in one operator process."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.git.server import serve
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import World

pytestmark = pytest.mark.usefixtures("operator")


def test_a_commit_reaches_the_pods_and_the_next_one_rolls_them(world: World, tmp_path: Path) -> None:
    with serve(tmp_path) as git_server:
        repository = git_server.repository()
        first = repository.commit({"bot.py": "print('one')\n"})
        world.create("Bundle", "repairs", spec={"git": {"url": git_server.url(repository)}, "interval": "1s"})
        world.bot()
        environment = _fetch_environment(world.await_object("Deployment", "repairs"))
        assert _revision(world) == f"main@sha1:{first}"
        content = _download(environment["BOTYARD_ARTIFACT_URL"], _token(world, environment))
        assert f"sha256:{hashlib.sha256(content.content).hexdigest()}" == environment["BOTYARD_ARTIFACT_DIGEST"]
        assert _download(environment["BOTYARD_ARTIFACT_URL"], "0" * 64).status_code in (401, 403)

        second = repository.commit({"bot.py": "print('two')\n"})
        eventually(lambda: _revision(world) == f"main@sha1:{second}", "the pods run the second commit")
        after = _fetch_environment(world.await_object("Deployment", "repairs"))
        assert after["BOTYARD_ARTIFACT_DIGEST"] != environment["BOTYARD_ARTIFACT_DIGEST"]
        assert _download(after["BOTYARD_ARTIFACT_URL"], _token(world, after)).status_code == 200
        old = _download(environment["BOTYARD_ARTIFACT_URL"], _token(world, environment))
        assert old.status_code == 200, "a pod of the first revision that starts anew still gets its code"

        world.settle()
        assert world.writes_within(3) == [], "an unchanged remote costs no write"


def _fetch_environment(deployment: dict[str, Any]) -> dict[str, str]:
    container = deployment["spec"]["template"]["spec"]["initContainers"][0]
    return {entry["name"]: entry["value"] for entry in container["env"]}


def _revision(world: World) -> str:
    template = world.await_object("Deployment", "repairs")["spec"]["template"]
    return str(template["metadata"]["annotations"]["botyard.dev/revision"])


def _token(world: World, environment: dict[str, str]) -> str:
    entry = f"artifact-token-{environment['BOTYARD_ARTIFACT_DIGEST'].removeprefix('sha256:')[:12]}"
    return base64.b64decode(world.await_object("Secret", "repairs-platform")["data"][entry]).decode()


def _download(url: str, token: str) -> httpx.Response:
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False)
