"""What `botyard inspect` tells of a workflow bundle."""

from pathlib import Path
from textwrap import dedent

import pytest

from botyard.inspection import inspect_bundle
from botyard.inspection.render import text

HEAD = """
from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow, agentic_operation
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint import BaseEntrypoint
"""
BOT = """
@agentic_workflow(name="demo.teller", version="1.2.3", priority=50, singleton=True)
class Teller(BaseEntrypoint):
    configuration = {
        "role_models": {"solver": "gpt-4o", "tool.generator.default": {"provider": "openai", "model": "mini"}},
        "embedding": {"provider": "openai", "model": "text-embedding-3-large"},
    }

    @agentic_operation
    async def export(self, **params): ...

    async def execute_core(self, *, state, thread_id, params):
        return {"final_answer": "x"}
"""


def write(folder: Path, code: str, name: str = "agentic_app.py") -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(HEAD + dedent(code))
    return folder


def test_marks_operations_and_models_are_told(tmp_path: Path) -> None:
    manifest, diagram = inspect_bundle(write(tmp_path, BOT))
    assert diagram is None
    assert (manifest.model, manifest.name, manifest.version, manifest.findings) == (
        "workflow",
        "demo.teller",
        "1.2.3",
        (),
    )
    assert (manifest.entrypoint.module, manifest.entrypoint.symbol) == ("agentic_app", "Teller")
    assert manifest.extra["operations"] == ["export"]
    assert manifest.extra["singleton"] is True
    assert manifest.extra["roleModels"]["solver"] == {"provider": "openai", "model": "gpt-4o"}
    page = text(manifest)
    for line in ("operations    export", "solver: gpt-4o", "embedding     text-embedding-3-large"):
        assert line in page


def test_the_workflow_is_found_wherever_it_lies(tmp_path: Path) -> None:
    manifest, _ = inspect_bundle(write(tmp_path, BOT, "react@2026-02-10/entrypoint.py"))
    assert manifest.sound
    assert manifest.entrypoint.module == "react@2026-02-10.entrypoint"


@pytest.mark.parametrize(
    ("code", "finding", "says"),
    [
        ("class Teller(BaseEntrypoint): ...", "WorkflowNotFound", "No decorated workflow found"),
        (
            "import not_installed_here\n@agentic_workflow(name='x')\nclass T: ...",
            "LoadFailed",
            "ModuleNotFoundError: No module named 'not_installed_here'",
        ),
        ("@agentic_workflow(name='x')\nclass Teller(BaseEntrypoint): ...", "NoExecuteCore", "does not implement"),
        (
            "@agentic_workflow(name='x')\nclass Teller(BaseEntrypoint):\n    def execute_core(self, **kw): ...",
            "NotAsynchronous",
            "no coroutine function",
        ),
        (
            "@agentic_workflow(name='x')\nclass Teller(BaseEntrypoint):\n"
            "    configuration = {'role_models': {'solver': 7}}\n    async def execute_core(self, **kw): ...",
            "WrongConfiguration",
            "role 'solver'",
        ),
    ],
)
def test_what_is_wrong_is_found(tmp_path: Path, code: str, finding: str, says: str) -> None:
    manifest, _ = inspect_bundle(write(tmp_path, code))
    assert [each.code for each in manifest.findings] == [finding]
    assert says in manifest.findings[0].message
    assert not manifest.sound


def test_several_workflows_are_named(tmp_path: Path) -> None:
    write(tmp_path, BOT)
    manifest, _ = inspect_bundle(write(tmp_path, BOT, "other.py"))
    assert "agentic_app, other" in manifest.findings[0].message
