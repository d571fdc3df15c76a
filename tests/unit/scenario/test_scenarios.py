"""Scenarios: written in YAML, run on a bot in this process, with differences that say what to mend."""

import os
import sys
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree as ET

import pytest

from botyard.scenario import ScenarioError, load_file, run_scenario
from botyard.scenario.command import main

ROOT = Path(__file__).parents[3]
REPAIRS = ROOT / "bundles" / "repairs"

BOT = """
import time
from botyard.fsm import AbstractFSM, FSMIntent, FSMOutput, Status


class Talk(AbstractFSM):
    states = ["zero", "ask", "check", "bye", "waiting"]
    transitions = [
        {"source": "zero", "dest": "ask", "trigger": "next"},
        {"source": "ask", "dest": "check", "trigger": "next"},
        {"source": "check", "dest": "bye", "trigger": "next", "conditions": "is_bye"},
        {"source": "check", "dest": "waiting", "trigger": "next", "conditions": "is_wait"},
        {"source": "check", "dest": "ask", "trigger": "next"},
        {"source": "waiting", "dest": "check", "trigger": "next"},
    ]
    conditions = set()

    def __init__(self, send_message, credentials=None, config=None):
        self.credentials = credentials
        self.config = config
        super().__init__(send_message=send_message)

    def on_enter_ask(self):
        self._on_enter_display("Ask me", options=["Yes", "No"])
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_check(self):
        self.status = Status.WAIT_FOR_ME
        said = self.current_callback or self.current_input
        self.variables["said"] = said.decode() if isinstance(said, bytes) else said
        print("checking", said)
        if said == "fail":
            raise KeyError("no such thing")
        if said == "hang":
            time.sleep(60)
        self._on_enter_display(f"{self.credentials.get('NAME', '')} heard {self.variables['said']}")

    def is_bye(self):
        return self.variables["said"] == "bye"

    def is_wait(self):
        return self.variables["said"] == "wait"

    def on_enter_bye(self):
        self.status = Status.END

    def on_enter_waiting(self):
        self._on_enter_display(f"ref {self.get_reference_id()}")
        self.status = Status.WAIT_FOR_CALLBACK
"""


@pytest.fixture(autouse=True)
def _own_modules():
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def write(tmp_path):
    """Writes a bundle with one file of scenarios and returns that file."""
    (tmp_path / "bot.py").write_text(BOT)
    (tmp_path / "scenarios").mkdir()

    def write(text):
        file = tmp_path / "scenarios" / "talk.yaml"
        file.write_text(dedent(text))
        return file

    return write


@pytest.fixture
def run(write):
    async def run(steps, head=""):
        file = write(f"scenario: it talks\n{dedent(head)}steps:\n{dedent(steps)}")
        (scenario,) = load_file(file)
        return await run_scenario(scenario, bundle=file.parents[1], file=file)

    return run


class TestWhatAStepDoes:
    @pytest.mark.parametrize(
        ("step", "heard"),
        [
            ("say: hello", "hello"),
            ("say: no", "no"),
            ("say: 12", "12"),
            ("say: 2026-01-02", "2026-01-02"),
            ('press: "No"', '[{"option_id": "2", "option_text": "No"}]'),
            ('press: "2"', '[{"option_id": "2", "option_text": "No"}]'),
            ("form: {name: Ada}", '{"name": "Ada"}'),
            ("language: hi", "language_selected"),
            ("file: {name: a.txt, text: content}", "content"),
            ("payload: {kind: text, body: plain}", "plain"),
        ],
    )
    async def test_it_is_what_a_user_does(self, run, step, heard):
        result = await run(f"- say: hi\n- {step}\n  variables: {{said: '{heard}'}}")
        assert result.problems == []

    async def test_a_callback_comes_with_the_last_reference(self, run):
        result = await run(
            """
            - say: hi
            - say: wait
              expect: [" heard wait", "ref ${reference}"]
            - callback: bye
              ended: true
            """
        )
        assert result.problems == []

    async def test_a_file_may_lie_beside_the_scenario(self, run, write):
        (write("").parent / "report.txt").write_text("from disk")
        result = await run("- say: hi\n- file: {path: report.txt}\n  variables: {said: from disk}")
        assert result.problems == []

    async def test_credentials_reach_the_bot(self, run):
        result = await run('- say: hi\n- say: x\n  expect: ["Ada heard x", Ask me]', head="credentials: {NAME: Ada}\n")
        assert result.problems == []

    async def test_what_a_pattern_names_can_be_used_later(self, run):
        result = await run(
            """
            - say: hi
            - say: code a.b
              expect: [{regex: "code (?P<code>.*)$"}, "..."]
            - say: again ${code}
              expect: [" heard again ${code}", "..."]
            """
        )
        assert result.problems == []


class TestWhatDiffers:
    @pytest.mark.parametrize(
        ("step", "problem"),
        [
            ("expect: [wrong, Ask me]", 'output 1: the text is " heard x", "wrong" was expected'),
            ('expect: [{contains: [heard, "y"]}, "..."]', 'output 1: the text " heard x" does not contain "y"'),
            ('expect: [{regex: "^h"}, "..."]', "output 1: '^h' is not found in the text \" heard x\""),
            ('expect: [{regex: "("}, "..."]', "is no regular expression"),
            ('expect: ["...", Ask me]', None),
            ("expect: [' heard x']", '1 outputs were expected, 2 came; write "..." last to allow more'),
            ("expect: [' heard x', Ask me, more]", "3 outputs were expected, 2 came"),
            ("expect: []", "0 outputs were expected, 2 came"),
            (
                "expect: [' heard x', {options: ['Yes', 'Maybe']}]",
                'output 2: the options are ["Yes", "No"], ["Yes", "Maybe"] were expected',
            ),
            ("expect: [{kind: list}, '...']", "output 1: is of kind 'text', 'list' was expected"),
            ("expect: [{event: bot.rag_call}, '...']", "output 1: is a bot.message, a bot.rag_call was expected"),
            ("expect: [{data: {kind: buttons}}, '...']", 'output 1: data.kind is "text", "buttons" was expected'),
            ("ended: true", "the session has not ended"),
            ("state: bye", "the session is in state 'ask', 'bye' was expected"),
            ("variables: {said: y}", 'variables.said is "x", "y" was expected'),
            ("variables: {gone: 1}", "variables has no 'gone'"),
            ("error: KeyError", "the turn did not fail; KeyError was expected"),
            ("expect: ['${nothing}', '...']", "output 1: there is no value ${nothing} yet (there are: none)"),
        ],
    )
    async def test_it_is_said_and_where(self, run, write, step, problem):
        if problem is None:
            with pytest.raises(ScenarioError, match="write it last"):
                await run(f"- say: hi\n- say: x\n  {step}")
            return
        result = await run(f"- say: hi\n- say: x\n  {step}")
        assert problem in result.problems[0]
        assert result.line == 4

    async def test_a_diff_shows_the_whole_step(self, run):
        result = await run("- say: hi\n- say: x\n  expect: [wrong, Ask me]")
        assert result.problems[2:] == [
            "--- expected",
            "+++ got",
            " answer",
            "-    wrong",
            "+     heard x",
            " answer",
            "     Ask me",
            "+    [Yes]",
            "+    [No]",
        ]

    async def test_an_exception_names_its_line_and_what_was_printed(self, run):
        result = await run("- say: hi\n- say: fail")
        (problem,) = result.problems
        assert problem.startswith("the turn failed with KeyError at bot.py:")
        assert result.printed == "checking fail\n"

    async def test_an_expected_exception_passes_and_the_session_goes_on(self, run):
        result = await run(
            "- say: hi\n- say: fail\n  error: {kind: KeyError, contains: no such}\n- say: bye\n  ended: true"
        )
        assert result.problems == []

    async def test_what_cannot_be_done_says_why(self, run):
        assert "the last ones offered are: Yes (1), No (2)" in (await run("- say: hi\n- press: Maybe")).problems[0]
        assert "handed out no reference" in (await run("- say: hi\n- callback: x")).problems[0]

    async def test_a_step_that_takes_too_long_is_stopped(self, run):
        result = await run("- say: hi\n- say: hang", head="timeout: 0.2\n")
        assert result.timed_out
        assert result.problems == ["the step took more than 0.2 seconds"]

    async def test_a_bundle_that_cannot_be_loaded_fails(self, run, tmp_path):
        (tmp_path / "bot.py").write_text("import botyard.fsm, no_such_package")
        result = await run("- say: hi")
        assert "No module named 'no_such_package'" in result.problems[0]


class TestFiles:
    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("scenario: x\nsteps:\n- say: hi\n- sing: la\n", ":4: steps.1.sing: Extra inputs"),
            ("scenario: x\nsteps:\n- say: hi\n  press: x\n", ":3: steps.0: Value error, a step is exactly one of"),
            ("scenario: x\nsteps: []\n", ":2: steps: "),
            ("steps:\n- say: hi\n", ":1: scenario: Field required"),
            ("a: [\n", ": is no YAML"),
            ("", "holds no scenario"),
            ("- say: hi\n", ":1: a scenario is an object"),
        ],
    )
    def test_what_is_wrong_is_told_with_its_line(self, write, text, says):
        with pytest.raises(ScenarioError) as error:
            load_file(write(text))
        assert says in str(error.value)


async def test_the_example_of_the_documentation_passes(tmp_path):
    page = (ROOT / "docs" / "scenarios.md").read_text()
    file = tmp_path / "example.yaml"
    file.write_text(page.split("```yaml\n")[1].split("```")[0])
    (scenario,) = load_file(file)
    assert (await run_scenario(scenario, bundle=REPAIRS, file=file)).problems == []


NATIVE = """
from botyard import model
pieces = []
answer = model.ask_blocking([{"role": "user", "content": said}], on_text=pieces.append).text
assert "".join(pieces) == answer
"""
OWN_CLIENT = """
import openai
asked = openai.OpenAI().chat.completions.create(model="any", messages=[{"role": "user", "content": said}])
answer = asked.choices[0].message.content
"""
MANAGER = """
from jb_manager_bot.parsers.utils import LLMManager
answer = LLMManager.llm([LLMManager.um(said)])
"""


class TestAModel:
    @pytest.fixture
    def ask(self, write, tmp_path):
        """Writes a bot that asks its model by `code`, and a scenario that expects one answer."""

        def ask(code, answer="You said hello"):
            code = "\n".join(f"        {line}" for line in code.strip().splitlines())
            bot = BOT.replace('        print("checking", said)\n', f"{code}\n        self.variables['said'] = answer\n")
            (tmp_path / "bot.py").write_text(bot)
            expected = f"expect: [' heard {answer}', Ask me]"
            return write(f"scenario: it asks\nsteps:\n- say: hi\n- say: hello\n  {expected}\n")

        return ask

    @pytest.mark.parametrize("code", [NATIVE, OWN_CLIENT, MANAGER], ids=["botyard.model", "openai", "LLMManager"])
    def test_every_way_leads_to_the_script_beside_the_scenario(self, ask, code, monkeypatch):
        monkeypatch.setenv("OPENAI_BASE_URL", "http://elsewhere.test")
        file = ask(code)
        file.with_name("model-script.yaml").write_text("rules: [{reply: {text: 'You said {last}'}}]")
        assert main([str(file.parents[1])]) == 0
        assert os.environ["OPENAI_BASE_URL"] == "http://elsewhere.test"

    def test_a_script_of_one_file_goes_before_that_of_the_folder_and_a_given_one_before_both(self, ask, tmp_path):
        file = ask(NATIVE, "mine")
        file.with_name("model-script.yaml").write_text("rules: [{reply: {text: the folder's}}]")
        assert main([str(file)]) == 1
        file.with_name("talk.model-script.yaml").write_text("rules: [{reply: {text: mine}}]")
        assert main([str(file)]) == 0
        other = tmp_path / "other.yaml"
        other.write_text("rules: [{reply: {text: given}}]")
        assert main([str(file), "--model-script", str(other)]) == 1

    def test_without_one_the_call_is_refused_and_a_file_that_is_none_is_told(self, ask, capsys):
        file = ask(NATIVE)
        assert main([str(file)]) == 1
        assert "the scenario has no model" in capsys.readouterr().out
        file.with_name("model-script.yaml").write_text("rules: []")
        assert main([str(file)]) == 2
        assert "is no model script" in capsys.readouterr().err


class TestCommand:
    def test_the_scenarios_of_the_workshop_pass(self, capsys, tmp_path):
        report = tmp_path / "junit.xml"
        assert main([str(REPAIRS), "--junit", str(report)]) == 0
        assert "9 passed, 0 failed" in capsys.readouterr().out
        suites = ET.parse(report).getroot()
        assert [suite.get("failures") for suite in suites] == ["0", "0", "0"]

    def test_a_failure_makes_the_exit_code_and_the_report(self, write, capsys, tmp_path):
        file = write("scenario: fails\nsteps:\n- say: hi\n  expect: [no]\n---\nscenario: passes\nsteps:\n- say: hi\n")
        report = tmp_path / "junit.xml"
        assert main([str(file), "--junit", str(report)]) == 1
        out = capsys.readouterr().out
        assert f"FAIL  fails\n  {file}:3, step `say: hi`\n" in out
        assert out.endswith(" s)\n")
        assert "1 passed, 1 failed" in out
        (suite,) = ET.parse(report).getroot()
        assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
        assert "was expected" in suite[0][0].get("message")

    def test_one_may_be_chosen_by_its_name(self, capsys):
        assert main([str(REPAIRS), "--only", "deposit"]) == 0
        assert "2 passed" in capsys.readouterr().out

    @pytest.mark.parametrize("path", ["nowhere", "."])
    def test_without_scenarios_there_is_a_hint(self, path, tmp_path, capsys):
        assert main([str(tmp_path / path)]) == 2
        assert "botyard scenario: " in capsys.readouterr().err
