"""Ready-made states and the tasks that add them."""

import pytest

from botyard.fsm import AbstractFSM, FSMIntent, MessageType, Option, Parser, Status, Variables
from tests.unit.fsm.bots import Sent, bot, moves_on, step, turn, waits_for_user, where


class Answers(Variables):
    name: str | None = None
    colour: str | None = None
    code: str | None = None


Plain = bot([step("zero", "a")], {"a": waits_for_user}, variable_names=Answers)


@pytest.fixture
def machine():
    return Plain(Sent())


class TestDisplay:
    @pytest.mark.parametrize(
        ("count", "kind", "member"), [(1, MessageType.BUTTON, "button"), (3, MessageType.BUTTON, "button")]
    )
    def test_up_to_three_options_are_buttons(self, machine, count, kind, member):
        machine._on_enter_display("Which?", options=[f"O{n}" for n in range(count)])
        message = machine.send_message[0].message
        assert message.message_type is kind
        assert [o.option_id for o in getattr(message, member).options] == [str(n + 1) for n in range(count)]
        assert machine.status is Status.MOVE_FORWARD

    def test_more_options_are_a_list_with_its_titles(self, machine):
        machine._on_enter_display("Which?", options=list("abcd"), menu_selector="All", menu_title="Open")
        listed = machine.send_message[0].message.option_list
        assert (listed.body, listed.button_text, listed.list_title) == ("Which?", "Open", "All")
        assert [(o.option_id, o.option_text) for o in listed.options][-1] == ("4", "d")

    def test_options_with_ids_keep_them(self, machine):
        machine._on_enter_display("Which?", options=[Option(option_id="x", option_text="X"), {"id": "y", "title": "Y"}])
        assert [o.option_id for o in machine.send_message[0].message.button.options] == ["x", "y"]

    def test_text_picture_and_dialog(self, machine):
        machine._on_enter_display("Hello")
        machine._on_enter_display("A bike", media_url="https://x/i.png")
        machine._on_enter_display("Pick", dialog="language")
        text, picture, dialog = machine.send_message
        assert text.message.text.body == "Hello"
        assert (picture.message.image.url, picture.message.image.caption) == ("https://x/i.png", "A bike")
        assert dialog.intent is FSMIntent.LANGUAGE_CHANGE

    def test_select_language_waits(self, machine):
        machine._on_enter_select_language()
        assert machine.send_message[0].intent is FSMIntent.LANGUAGE_CHANGE
        assert machine.status is Status.WAIT_FOR_USER_INPUT


class TestLogic:
    def test_empty_input_waits_and_empty_branching_moves_on(self, machine):
        machine._on_enter_empty_input()
        assert machine.status is Status.WAIT_FOR_USER_INPUT
        machine._on_enter_empty_branching()
        assert machine.status is Status.MOVE_FORWARD

    def test_assign_and_validate_call_the_function_with_the_value(self, machine):
        machine.variables.name = "ada"
        machine._on_enter_assign("name", str.title)
        assert machine.variables.name == "Ada"
        assert machine._validate_method("name", lambda value: value == "Ada")
        assert not machine._validate_method("name", lambda value: value > 5)

    @pytest.mark.parametrize("given", ["2", "Blue", " blue ", '[{"option_id": "2", "option_text": "Blue"}]'])
    def test_a_clear_choice_needs_no_model(self, machine, given):
        machine.submit_input(given)
        machine._on_enter_input_logic("colour", options=["Red", "Blue"], message="Which colour?")
        assert machine.variables.colour == "Blue"

    @pytest.mark.parametrize(("answer", "kept"), [({"id": "2"}, "Blue"), ({"id": None}, None), ({}, None)])
    def test_other_words_are_matched_by_the_model(self, machine, monkeypatch, answer, kept):
        asked = []
        monkeypatch.setattr(Parser, "parse_user_input", lambda *a, **k: (asked.append((a, k)), answer)[1])
        machine.credentials = {"OPENAI_API_KEY": "key", "FAST_MODEL": "quick"}
        machine.submit_input("like the sky")
        machine._on_enter_input_logic("colour", options=["Red", "Blue"], message="Which colour?")
        assert machine.variables.colour == kept
        assert asked[0][1] == {"openai_api_key": "key", "model": "quick"}

    def test_a_validation_in_words_is_left_to_the_model(self, machine, monkeypatch):
        monkeypatch.setattr(Parser, "parse_user_input", lambda *a, **k: {"result": "AB-12"})
        machine.submit_input("it is ab 12")
        machine._on_enter_input_logic("code", message="Your code?", validation="two letters, dash, two digits")
        assert machine.variables.code == "AB-12"

    def test_without_a_question_the_input_is_kept_as_it_is(self, machine):
        machine.submit_input("anything")
        machine._on_enter_input_logic("name")
        assert machine.variables.name == "anything"


class Tasks(AbstractFSM):
    states = ["zero"]
    transitions = []
    variable_names = Answers

    def __init__(self, send_message, credentials=None):
        self.credentials = {}
        self.create_select_language("language", "welcome")
        self.create_display_task("welcome", "colour_display", "Hello {name}", format_variables=["name"])
        self.create_input_task(
            "colour",
            "Which colour?",
            "shout",
            options=["Red", "Blue"],
            validation_expression="colour in ('Red', 'Blue')",
        )
        self.create_assign_task("shout", "branch", "upper_colour", "colour.upper()", "colour")
        self.create_branching_task(
            "branch", [{"condition": "is_red", "dest": "order"}, {"condition": None, "dest": "end"}]
        )
        self.create_plugin_task(
            "order", None, self.order, {"colour": "colour"}, {"code": "code"}, [{"condition": 200, "dest": "end"}]
        )
        self._add_state("end")
        super().__init__(send_message=send_message)

    def is_red(self):
        return self.variables.colour == "RED"

    def order(self, colour):
        return {"error_code": 200, "code": f"{colour}-1"}

    def on_enter_end(self):
        self.status = Status.WAIT_FOR_USER_INPUT


class TestTasks:
    def test_they_make_a_whole_machine(self):
        state, sent = turn(Tasks, text="start")
        assert sent[0].intent is FSMIntent.LANGUAGE_CHANGE
        state, sent = turn(Tasks, state, text="language_selected")
        assert sent.texts == ["Hello None", "Which colour?"]
        assert where(state) == "colour_input"
        state, _ = turn(Tasks, state, text="red")
        assert where(state) == "end"
        assert state["main"]["variables"] == {"name": None, "colour": "RED", "code": "RED-1"}

    def test_an_invalid_answer_is_asked_for_again(self, monkeypatch):
        monkeypatch.setattr(Parser, "parse_user_input", lambda *a, **k: {"id": None})
        state, _ = turn(Tasks, text="start")
        state, _ = turn(Tasks, state, text="language_selected")
        state, sent = turn(Tasks, state, text="mauve")
        assert where(state) == "colour_input"
        assert sent.texts[-1] == "Which colour?"

    def test_they_add_to_the_instance_and_never_to_the_class(self):
        for _ in range(3):
            Tasks(Sent())
        assert (Tasks.states, Tasks.transitions) == (["zero"], [])
        assert not hasattr(Tasks, "on_enter_welcome")


def test_own_conditions_validate_an_input_task():
    class Bot(AbstractFSM):
        states = ["zero", "end"]
        transitions = [step("zero", "name_display")]
        variable_names = Answers

        def __init__(self, send_message, credentials=None):
            self.create_input_task("name", "Name?", "end", is_valid="long_enough", fail_dest="name_display")
            super().__init__(send_message=send_message)

        def on_enter_name_logic(self):
            raise AssertionError("the task's own handler is used")

        def long_enough(self):
            return len(self.variables.name) > 2

        def on_enter_end(self):
            moves_on(self) if self.variables.name is None else waits_for_user(self)

    Bot.on_enter_name_logic = None
    state, _ = turn(Bot)
    machine = Bot(Sent())
    assert any(t.get("conditions") == "long_enough" for t in machine.transitions)
    assert where(state) == "name_input"
