"""bundles/researcher holds the conversations that its scenarios describe, and keeps its reports."""

from pathlib import Path

import pytest

from botyard.inspection import inspect_bundle
from botyard.scenario.command import main
from botyard.workflow.program import WorkflowProgram
from tests.unit.workflow.host import Conversation

BUNDLE = Path(__file__).parents[3] / "bundles" / "researcher"


def test_its_scenarios_pass(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([str(BUNDLE)]) == 0, capfd.readouterr()


def test_it_is_sound() -> None:
    manifest, _ = inspect_bundle(BUNDLE)
    assert manifest.findings == ()
    assert (manifest.name, manifest.extra["operations"]) == ("botyard.researcher", ["report"])


async def test_a_report_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDCUBE_STORAGE_PATH", f"file://{tmp_path}")
    conversation = Conversation(WorkflowProgram.load(BUNDLE))
    outcome = await conversation.say("", payload={"subject": "swarm"}, chat={"operation": "report"})
    assert outcome.error is None
    [files] = [output for output in conversation.platform.emitted if output.type == "chat.files"]
    [item] = files.data["items"]
    kept = (tmp_path / item["path"]).read_text()
    assert kept.startswith("# swarm")
    assert len(kept.encode()) == item["size"]
    canvas = [
        o.members["text"] for o in conversation.platform.emitted if o.members.get("delta", {}).get("marker") == "canvas"
    ]
    assert "".join(canvas) == kept
