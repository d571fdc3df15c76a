"""Scenarios of workflow bots look at what users see."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from botyard.scenario.command import main

BOT = """
from botyard.workflow import BaseEntrypoint, agentic_workflow


@agentic_workflow(name="demo.teller")
class Teller(BaseEntrypoint):
    async def execute_core(self, *, state, thread_id, params):
        await self.comm.step(step="inner", status="started")
        await self.comm.delta(text="hm", index=0, marker="thinking")
        await self.comm.delta(text="You ", index=0)
        await self.comm.delta(text="m", index=1, marker="thinking")
        await self.comm.delta(text="wrote.", index=1)
        await self.comm.event(agent="t", type="chat.files", route="chat.files", data={"items": []})
        if params["text"] == "fail":
            raise ValueError("no paper")
        return {"final_answer": f"You wrote. {len(state['history'])}"}
"""


def run(folder: Path, scenario: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    (folder / "bot.py").write_text(BOT)
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "s.yaml").write_text(dedent(scenario))
    code = main([str(folder)])
    return code, capsys.readouterr().out


def test_streams_events_and_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(
        tmp_path,
        """
        scenario: It answers
        steps:
        - say: hello
          expect:
          - {event: chat.delta, text: hmm, data: {marker: thinking}}
          - {event: chat.delta, text: You wrote., data: {marker: answer}}
          - {event: chat.files, data: {items: []}}
          - You wrote. 0
        - say: again
          expect: [{event: chat.delta}, {event: chat.delta}, {event: chat.files}, You wrote. 2]
        - say: fail
          error: {kind: ValueError, contains: paper}
        """,
        capsys,
    )
    assert code == 0, out


def test_what_differs_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(
        tmp_path,
        """
        scenario: It answers
        steps:
        - say: hello
          expect: [{event: chat.delta}, {event: chat.delta}, {event: chat.files}, You wrote nothing.]
        """,
        capsys,
    )
    assert code == 1
    assert '"You wrote. 0", "You wrote nothing." was expected' in out


def test_modules_of_the_bundle_can_be_imported_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "by_name_only").mkdir()
    (tmp_path / "by_name_only" / "__init__.py").write_text("")
    (tmp_path / "by_name_only" / "who.py").write_text("WHO = 'me'")
    code = BOT.replace(
        "You wrote. {len(state['history'])}", "{__import__('importlib').import_module('by_name_only.who').WHO}"
    )
    (tmp_path / "bot.py").write_text(code)
    (tmp_path / "scenarios").mkdir()
    scenario = (
        "scenario: s\nsteps:\n- say: x\n  expect: [{event: chat.delta}, {event: chat.delta}, {event: chat.files}, me]"
    )
    (tmp_path / "scenarios" / "s.yaml").write_text(scenario)
    assert main([str(tmp_path)]) == 0, capsys.readouterr().out
    assert "by_name_only" not in sys.modules
