"""Scenarios of loop bots: answers, tools, confirmations and tasks; files of the existing kit."""

import subprocess
import sys
from textwrap import dedent

import pytest

from botyard.scenario.command import main
from tests.unit.scenario.loop_bundle import of

HAPPY = """
persona_marketable_name: clerk
fake_connected_providers: [crm_provider]
judge_instructions: Ada must be found.
messages:
- {role: cd_instruction, content: It is Monday.}
- role: user
  content: !PYTHON[bot.PROMPT]
- role: assistant
  content: I look.
  tool_calls:
  - {id: c1, type: function, function: {name: look, arguments: '{"what": "Ada"}'}}
  - {id: c2, type: function, function: {name: crm, arguments: '{"q": "Ada"}'}}
- {role: tool, call_id: c1, content: not used}
- {role: tool, call_id: c2, content: Ada lives in Oslo.}
- {role: assistant, content: Ada lives in Oslo.}
- {role: user, content: Thanks.}
- {role: assistant, content: You are welcome.}
"""


class TestWhatHappensToALoopBot:
    @pytest.mark.parametrize(
        "steps",
        [
            "- {say: hello, expect: ok}",
            """
            - say: find Ada
              expect:
              - I look.
              - {tool: look, arguments: {what: Ada}, text: saw Ada}
              - {contains: saw Ada}
            """,
            """
            - say: remove them
              expect:
              - {event: thread.confirmation, text: It is for good., data: {tool: delete, command: delete Ada}}
              - {event: thread.confirmation, arguments: {what: Bob}}
            - confirm: true
              expect: [{tool: delete, text: deleted Ada}, {tool: delete, text: deleted Bob}, "It says: deleted Bob"]
            """,
            """
            - say: remove them
            - confirm: {allow: false, reason: They stay.}
              expect: [{tool: delete, contains: They stay.}, {tool: delete, contains: rejected}, "..."]
            """,
            """
            - task: New contact
              expect: [{event: task.updated, text: New contact}, {event: task.updated, text: Follow up}]
              board: {inbox: [New contact, Follow up], done: []}
            - move: {task: Follow up, to: done}
              board: {done: [Follow up]}
            """,
            """
            - {say: hello, thread: a, expert: reader, expect: {text: ok, data: {thread: a}}}
            - {event: {action: task.create, id: t1, ktask_title: X}, board: {inbox: [X]}}
            """,
        ],
        ids=["answer", "tool", "confirmed", "rejected", "tasks", "threads-and-events"],
    )
    def test_each_step_is_held_against_what_the_bot_did(self, bundle, steps, capsys):
        assert main([str(bundle(of(steps)))]) == 0, capsys.readouterr().out

    def test_a_scenario_can_give_the_results_of_tools(self, bundle, capsys):
        steps = "- {say: lookup, expect: [{tool: crm, text: Oslo}, 'It says: Oslo']}"
        assert main([str(bundle("tools: {crm: [Oslo]}\n" + of(steps)))]) == 0, capsys.readouterr().out

    @pytest.mark.parametrize(
        ("steps", "said"),
        [
            (
                "- {say: find, expect: [I look., {tool: delete}, '...']}",
                "is a call of look, one of delete",
            ),
            ("- {say: find, expect: [..., ]}\n- {confirm: true}", "no call of a tool waits for a confirmation"),
            ("- {move: {task: X, to: done}}", "there is no task 'X'; there are: none"),
            ("- {task: X, board: {inbox: [Y]}}", 'board.inbox is ["X"], ["Y"] was expected'),
            ("- {say: lookup, expect: [{tool: crm, text: Oslo}, '...']}", "crm has no handler in this bot"),
        ],
        ids=["other-tool", "nothing-waits", "no-task", "board", "no-handler"],
    )
    def test_what_differs_is_told(self, bundle, capsys, steps, said):
        assert main([str(bundle(of(steps)))]) == 1
        assert said in capsys.readouterr().out

    def test_a_loop_that_fails_fails_the_scenario(self, bundle, capsys):
        steps = "persona: {setup: {crash: true}}\n" + of("- {say: hello}")
        assert main([str(bundle(steps))]) == 1
        assert "the bot's main loop fails: RuntimeError: it does not start" in capsys.readouterr().out


class TestAFileOfTheKit:
    def test_is_replayed_where_there_is_no_script(self, bundle, capsys):
        """The model says what the file's assistant said; tools are called, those without account are stood in for."""
        assert main([str(bundle(HAPPY, script="", name="default__find.yaml"))]) == 0, capsys.readouterr().out

    def test_holds_calls_of_a_scripted_model_against_its_own(self, bundle, capsys):
        script = "rules:\n- when: {last_role: tool}\n  reply: {text: done}\n- reply: {text: I will not.}"
        assert main([str(bundle(HAPPY, script=script, name="default__find.yaml"))]) == 1
        assert "outputs were expected, 1 came" in capsys.readouterr().out

    def test_gives_results_to_handlers_that_would_have_them_invented(self, bundle, capsys):
        text = dedent(HAPPY).replace("fake_connected_providers: [crm_provider]", "fake_connected_providers: []")
        folder = bundle(text, script="", name="default__find.yaml")
        code = (folder / "bot.py").read_text()
        invents = "return await ckit_scenario.scenario_generate_tool_result_via_model(client, call, '')"
        code = code.replace("        return f\"saw {args['what']}\"", f"        {invents}")
        (folder / "bot.py").write_text(
            code.replace("ckit_kanban, ckit_shutdown", "ckit_kanban, ckit_scenario, ckit_shutdown")
        )
        assert main([str(folder)]) == 0, capsys.readouterr().out

    def test_fails_where_a_handler_fails(self, bundle, capsys):
        text = dedent(HAPPY).replace("look,", "broken,").replace('{"what": "Ada"}', "{}")
        text = text.replace("fake_connected_providers: [crm_provider]", "fake_connected_providers: []")
        assert main([str(bundle(text, script="", name="default__find.yaml"))]) == 1
        assert "Tool error, see logs for details" in capsys.readouterr().out

    def test_includes_only_what_the_bundle_has(self, bundle, capsys):
        assert main([str(bundle(HAPPY.replace("PROMPT", "MISSING"), script="", name="default__find.yaml"))]) == 1
        assert "a text that the scenario includes is not in the bundle" in capsys.readouterr().out

    def test_is_run_by_the_bots_own_command_line(self, bundle, tmp_path):
        folder = bundle(HAPPY, script="", name="default__find.yaml")
        command = [sys.executable, str(folder / "bot.py"), "--scenario", "scenarios/default__find.yaml"]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        assert (ran.returncode, "1 passed, 0 failed" in ran.stdout) == (0, True), ran.stdout + ran.stderr


class TestAFileThatIsNoScenario:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("scenario: X\nsteps:\n- say: a\n  exspect: b\n", "talk.yaml:4: steps.0.exspect: Extra inputs"),
            ("scenario: X\nsteps:\n- say: a\n- confirm: {alow: true}\n", "talk.yaml:4: steps.1.confirm.alow"),
            ("scenario: X\ntimeout: soon\nsteps: [{say: a}]\n", "talk.yaml:2: timeout: Input should be a valid number"),
            ("scenario: X\nreplay: []\nsteps: [{say: a}]\n", "talk.yaml:2: replay: there is no such key"),
            ("scenario: [X\n", "talk.yaml:2: is no YAML"),
            ("messages:\n- {role: user, content: a}\n- {role: robot}\n", "talk.yaml:3: messages.1.role"),
            (
                "messages:\n- {role: assistant, content: a}\n",
                "talk.yaml:2: messages: Value error, a conversation",
            ),
        ],
        ids=["unknown-key", "nested-key", "wrong-type", "internal", "no-yaml", "kit-role", "kit-begin"],
    )
    def test_is_told_with_file_line_and_key(self, bundle, capsys, text, said):
        assert main([str(bundle(text))]) == 2
        assert said in capsys.readouterr().err
