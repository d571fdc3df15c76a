"""`kubectl botyard`: the kubeconfig's namespace, and the commands behind it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.integration.cli.conftest import Botyard
from tests.integration.gateway.system import System

PLUGIN = "botyard.cli.kubectl"


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Two contexts: one with the namespace shop (in use), one with bank."""
    contexts = [
        {"name": name, "context": {"cluster": "c", "user": "u", "namespace": name}} for name in ("shop", "bank")
    ]
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": contexts,
        "current-context": "shop",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("options", "namespace"),
    [
        ([], "shop"),
        (["--context", "bank"], "bank"),
        (["-n", "other"], "other"),
        (["--context=bank", "--namespace=other"], "other"),
    ],
)
async def test_a_bot_is_looked_for_in_the_namespace_of_kubectl(
    system: System, botyard: Botyard, kubeconfig: Path, options: list[str], namespace: str
) -> None:
    ran = await botyard(
        "dead-letters", "list", "echo", *options, module=PLUGIN, user="keeper", env={"KUBECONFIG": str(kubeconfig)}
    )
    if namespace == "shop":
        assert ran.out == "shop/echo has no dead letters\n"
    else:
        assert f"bots.botyard.dev {namespace}/echo" in ran.err


def test_kubectl_finds_the_plugin_by_its_name() -> None:
    if shutil.which("kubectl") is None:
        pytest.fail("kubectl is not installed; `kubectl botyard` is tested with it")
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["kubectl", "botyard", "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert "dead-letters" in ran.stdout


async def test_without_a_context_the_namespace_is_default(botyard: Botyard, tmp_path: Path) -> None:
    ran = await botyard("dead-letters", "list", "echo", module=PLUGIN, env={"KUBECONFIG": str(tmp_path / "none")})
    assert "bots.botyard.dev default/echo" in ran.err


async def test_mistakes_are_told(botyard: Botyard, kubeconfig: Path) -> None:
    ran = await botyard("nonsense", module=PLUGIN)
    assert ran.code == 2
    assert "turns, dead-letters" in ran.err
    ran = await botyard("dead-letters", "list", "echo", "--context", "nowhere", module=PLUGIN, env={"BOTYARD_URL": "x"})
    assert ran.code == 2
    assert "is not an address" in ran.err
