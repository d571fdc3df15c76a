"""Builds in real Jobs: a restricted pod installs what a bundle requires, and code that is bad never gets to a Bot."""

from tests.cluster.bots import SOURCE
from tests.cluster.spaces import Space

BACKEND = '''\
"""A build backend in the package itself: pods reach no index for another one."""

import os
import zipfile

INFO = "own-0.1.dist-info"
FILES = {
    "own.py": "WORD = 'from the layer'\\n",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\\nName: own\\nVersion: 0.1\\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    f"{INFO}/RECORD": "own.py,,\\n",
}


def get_requires_for_build_wheel(config_settings=None):
    return []


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "own-0.1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as archive:
        for path, text in FILES.items():
            archive.writestr(path, text)
    return name
'''
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "own"
version = "0.1"
"""


def requiring(code: str) -> dict[str, str]:
    """Return the files of a bundle that brings a package along, as source, and requires it."""
    return {
        "bot.py": code,
        "requirements.txt": "./own\n",
        "own/pyproject.toml": PROJECT,
        "own/backend.py": BACKEND,
    }


def test_requirements_reach_the_bot_and_code_that_cannot_be_imported_does_not(space: Space) -> None:
    # The body is an f-string of the bot's, so that the word is looked up when it answers.
    good = space.push(requiring("import own\n" + SOURCE.format(version="{own.WORD}")))
    url = f"http://git.{space.system.namespace}.svc/{space.namespace}.git"
    dependencies = {"requirements": ["requirements.txt"]}
    space.apply("Bundle", "counter", {"git": {"url": url}, "interval": "2s", "dependencies": dependencies})
    space.bot()
    space.ready("bundle/counter", "bot/counter")
    status = (space.get("bundle", "counter") or {})["status"]
    assert status["manifest"]["name"] == "Counter"
    assert status["layer"]["digest"].startswith("sha256:")
    conversation = space.conversation()
    assert "from the layer: message 1 was hello" in conversation.say("hello")

    space.push(requiring("import nowhere\n" + SOURCE.format(version="v2")))
    space.eventually(
        "the bad revision is told of",
        lambda: space.condition("bundle", "counter", "Inspected").get("reason") == "ImportFailed",
        "bundle/counter",
    )
    assert "nowhere" in space.condition("bundle", "counter", "Inspected")["message"]
    for kind in ("bundle", "bot"):
        assert space.condition(kind, "counter", "Ready")["status"] == "True"
    assert space.revision().endswith(good)
    assert "from the layer: message 2 was again" in conversation.say("again")
