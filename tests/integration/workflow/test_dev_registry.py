"""`botyard dev` runs the bundles that AGENTIC_BUNDLES_JSON lists, and each message chooses one."""

import json
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from tests.integration.gateway.dev import Dev, until
from tests.integration.git.server import Repository
from tests.unit.workflow.host import HEAD


def code(answer: str) -> str:
    return (
        f"{HEAD}\nfrom .helper import WHO\n\n@agentic_workflow(name='x')\nclass Answering(BaseEntrypoint):\n"
        f"    async def execute_core(self, *, state, thread_id, params):\n"
        f"        return {{'final_answer': WHO + ' {answer} ' + params['text']}}\n"
    )


def answer(url: str, bot: str, text: str) -> str:
    base = f"{url}/v1/namespaces/dev/bots/{bot}"
    sent = httpx.post(f"{base}/messages", json={"text": text}).raise_for_status().json()
    events = f"{base}/conversations/{sent['conversation']}/events?follow=false"

    def look() -> Any:
        said = httpx.get(events).raise_for_status().json()["events"]
        return next((each["data"]["data"] for each in said if each["event"] == "chat.complete"), None)

    return str(until(look, lambda: httpx.get(events).text)["final_answer"])


def test_each_bundle_runs_its_own_code_and_the_default_answers(tmp_path: Path) -> None:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "agentic_app.py").write_text(code("says"))
    (tmp_path / "hello" / "helper.py").write_text("WHO = 'folder'")
    with zipfile.ZipFile(tmp_path / "packed.whl", "w") as archive:
        archive.writestr("packed/__init__.py", "")
        archive.writestr("packed/helper.py", "WHO = 'wheel'")
        archive.writestr("packed/agentic_app.py", code("says"))
    repository = Repository.create(tmp_path, "bots.git")
    repository.commit({"bundle/agentic_app.py": code("says"), "bundle/helper.py": "WHO = 'git'"})
    bundles = {
        "default_bundle_id": "demo.git",
        "bundles": {
            "demo.hello": {"path": str(tmp_path / "hello"), "module": "agentic_app"},
            "demo.packed": {"path": str(tmp_path / "packed.whl"), "module": "packed.agentic_app"},
            "demo.git": {"git_url": str(repository.path), "git_subdir": "bundle", "module": "agentic_app"},
        },
    }
    environment = {"AGENTIC_BUNDLES_JSON": json.dumps(bundles), "HOST_BUNDLES_PATH": str(tmp_path / "bundles")}
    with closing(Dev(None, environment=environment, log=tmp_path / "dev.log")) as dev:
        for bot, who in [("demo-hello", "folder"), ("demo-packed", "wheel"), ("demo-git", "git")]:
            dev.logged(f"{bot} answers at")
            assert answer(dev.url, bot, "x") == f"{who} says x"
        listed = httpx.get(f"{dev.url}/v1/bots").raise_for_status().json()["bots"]
        assert {each["name"]: each["default"] for each in listed} == {
            "demo-hello": False,
            "demo-packed": False,
            "demo-git": True,
        }


def test_a_registry_that_cannot_be_used_says_so() -> None:
    command = [sys.executable, "-m", "botyard.cli.main", "dev", "--port", "0"]
    for text, says in [
        ("", "list workflow bundles in AGENTIC_BUNDLES_JSON"),
        ("{", "not JSON"),
        ('{"a": {"path": "/nowhere/at/all", "module": "x"}}', "bundle 'a': there is no folder"),
    ]:
        done = subprocess.run(command, env={"AGENTIC_BUNDLES_JSON": text}, capture_output=True, text=True, timeout=90)
        assert done.returncode == 2, done.stderr
        assert says in done.stderr
