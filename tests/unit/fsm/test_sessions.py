"""Sessions: inputs, waiting, saving, restoring, ending."""

import copy
import json

import pytest
from pydantic import ValidationError

from botyard.fsm import AbstractFSM, FSMIntent, SessionStateError, Status, VariableError, Variables
from tests.unit.fsm.bots import Sent, bot, moves_on, step, turn, waits_for_callback, waits_for_user, where


class Order(Variables):
    name: str = None  # as bots write it
    count: int = 0
    tags: list[str] = []


def listens(key, then=waits_for_user):
    def handler(self):
        self.variables[key] = [self.current_input, self.current_callback]
        then(self)

    return handler


class TestInput:
    def test_the_first_state_of_a_fresh_session_sees_the_input_and_the_next_does_not(self):
        cls = bot([step("zero", "a"), step("a", "b")], {"a": listens("a", moves_on), "b": listens("b")})
        state, _ = turn(cls, text="start")
        assert state["main"]["variables"] == {"a": ["start", None], "b": [None, None]}

    def test_after_waiting_only_the_next_state_sees_the_input(self):
        cls = bot(
            [step("zero", "a"), step("a", "b"), step("b", "c")],
            {"a": waits_for_user, "b": listens("b", moves_on), "c": listens("c")},
        )
        state, _ = turn(cls)
        state, _ = turn(cls, state, text="hello")
        assert state["main"]["variables"] == {"b": ["hello", None], "c": [None, None]}

    def test_a_callback_is_seen_as_current_callback(self):
        cls = bot([step("zero", "a"), step("a", "b")], {"a": waits_for_callback, "b": listens("b")})
        state, _ = turn(cls)
        state, _ = turn(cls, state, callback='{"paid": true}')
        assert state["main"]["variables"]["b"] == [None, '{"paid": true}']

    def test_bytes_of_a_file_are_input_too(self):
        seen = []
        cls = bot([step("zero", "a")], {"a": lambda self: (seen.append(self.current_input), waits_for_user(self))})
        turn(cls, text=b"\x89PNG")
        assert seen == [b"\x89PNG"]

    @pytest.mark.parametrize(
        ("waits", "given"), [(waits_for_user, {"callback": "x"}), (waits_for_callback, {"text": "x"})]
    )
    def test_input_of_the_wrong_kind_changes_nothing(self, waits, given):
        cls = bot([step("zero", "a"), step("a", "b")], {"a": waits, "b": waits_for_user})
        before, _ = turn(cls)
        after, sent = turn(cls, before, **given)
        assert after == before
        assert not sent

    def test_no_input_at_all_leaves_a_waiting_session_alone(self):
        cls = bot([step("zero", "a"), step("a", "b")], {"a": waits_for_user, "b": waits_for_user})
        before, _ = turn(cls)
        assert turn(cls, before)[0] == before

    def test_submitting_nothing_is_nothing(self):
        machine = bot([step("zero", "a")], {"a": waits_for_user})(Sent())
        machine.submit_input(None)
        machine.submit_callback(None)
        assert (machine.status, machine.current_input, machine.current_callback) == (Status.MOVE_FORWARD, None, None)


class TestSavedState:
    def test_it_has_the_documented_shape_and_is_json(self):
        cls = bot([step("zero", "a")], {"a": waits_for_user}, variable_names=Order)
        state, _ = turn(cls)
        assert state == {
            "main": {"state": "a", "status": 1, "variables": {"name": None, "count": 0, "tags": []}},
            "plugins": {},
        }
        assert json.loads(json.dumps(state)) == state

    @pytest.mark.parametrize("empty", [None, {}])
    def test_a_falsy_state_is_a_fresh_session(self, empty):
        cls = bot([step("zero", "a"), step("a", "b")], {"a": waits_for_user, "b": waits_for_user})
        assert where(turn(cls, empty, text="x")[0]) == "a"

    def test_the_host_s_copy_is_never_written_to(self):
        def spoils(self):
            self.variables["list"].append("spoilt")
            self.variables["deep"]["er"]["est"] = "spoilt"
            raise RuntimeError("after the damage")

        cls = bot(
            [step("zero", "a"), step("a", "b")],
            {"a": lambda self: (self.variables.update(list=[], deep={"er": {}}), waits_for_user(self)), "b": spoils},
        )
        state, _ = turn(cls)
        kept = copy.deepcopy(state)
        with pytest.raises(RuntimeError):
            turn(cls, state, text="x")
        assert state == kept

    def test_temporary_variables_and_outputs_are_not_saved(self):
        def handler(self):
            self.temp_variables["x"] = 1
            self.outputs["y"] = 2
            waits_for_user(self)

        assert "x" not in json.dumps(turn(bot([step("zero", "a")], {"a": handler}))[0])

    def test_the_end_returns_a_session_at_its_beginning_with_default_variables(self):
        def handler(self):
            self.variables.count = 7
            moves_on(self)

        cls = bot([step("zero", "a"), step("a", "end")], {"a": handler}, variable_names=Order)
        cls.states = [*cls.states, "end"]
        assert turn(cls)[0]["main"] == {
            "state": "zero",
            "status": 2,
            "variables": {"name": None, "count": 0, "tags": []},
        }


class TestRestoring:
    @pytest.fixture
    def cls(self):
        return bot(
            [step("zero", "a"), step("a", "b")], {"a": waits_for_user, "b": waits_for_user}, variable_names=Order
        )

    def saved(self, **main):
        return {"main": {"state": "a", "status": 1, "variables": {}} | main, "plugins": {}}

    def test_unknown_variables_are_dropped(self, cls):
        state, _ = turn(cls, self.saved(variables={"count": 3, "gone": 1}), text="x")
        assert state["main"]["variables"] == {"name": None, "count": 3, "tags": []}

    def test_a_variable_that_still_has_its_default_is_restored_although_the_default_is_of_another_type(self, cls):
        assert turn(cls, self.saved(variables={"name": None}), text="x")[0]["main"]["variables"]["name"] is None

    def test_a_wrong_type_is_refused(self, cls):
        with pytest.raises(ValidationError, match="count"):
            turn(cls, self.saved(variables={"count": "many"}), text="x")

    def test_values_are_validated_when_restored_not_when_assigned(self, cls):
        machine = cls(Sent())
        machine.variables.count = "12"
        restored = cls.get_machine(Sent(), {}, "a", Status.WAIT_FOR_USER_INPUT, {"count": "12"}, {})
        assert (machine.variables.count, restored.variables.count) == ("12", 12)

    @pytest.mark.parametrize(
        ("state", "says"),
        [
            ({"state": "gone"}, "'gone'"),
            ({"status": 99}, "99"),
            ({"variables": [1]}, "object"),
        ],
    )
    def test_what_this_revision_does_not_know_is_named(self, cls, state, says):
        with pytest.raises(SessionStateError, match=says) as raised:
            turn(cls, self.saved(**state), text="x")
        assert isinstance(raised.value, ValueError)

    def test_something_else_than_a_session_is_refused(self, cls):
        with pytest.raises(SessionStateError, match="main"):
            turn(cls, {"other": 1}, text="x")

    def test_an_unknown_plugin_is_refused(self, cls):
        with pytest.raises(SessionStateError, match="plugin 'pay'"):
            turn(cls, self.saved() | {"plugins": {"pay": self.saved()}}, text="x")

    def test_status_is_taken_as_number_or_member(self, cls):
        for status in (1, Status.WAIT_FOR_USER_INPUT):
            assert cls.get_machine(Sent(), state="a", status=status).status is Status.WAIT_FOR_USER_INPUT


class TestVariables:
    def test_a_bot_that_declares_none_has_a_dict_that_can_be_called(self):
        machine = bot([step("zero", "a")], {"a": waits_for_user})(Sent())
        machine.variables["my_variable"] = 10
        assert machine.variables("my_variable") == 10
        assert machine.variables("your_variable") is None
        assert isinstance(machine.variables, dict)

    def test_declared_variables_can_be_indexed_and_called_too(self):
        machine = bot([step("zero", "a")], {"a": waits_for_user}, variable_names=Order)(Sent())
        machine.variables["count"] = 2
        assert (machine.variables.count, machine.variables["count"], machine.variables("count")) == (2, 2, 2)
        assert "count" in machine.variables
        with pytest.raises(KeyError):
            machine.variables["other"]

    def test_variables_and_plugins_that_the_constructor_sets_first_are_kept_and_come_back_at_a_reset(self):
        class Bot(AbstractFSM):
            states = ["zero", "a"]
            transitions = [step("zero", "a")]

            def __init__(self, send_message, credentials=None):
                self.variables = {"tries": [0]}
                self.plugins = {}
                super().__init__(send_message=send_message)

            def on_enter_a(self):
                self.variables["tries"].append(1)
                self.status = Status.END

        machine = Bot(Sent())
        machine.run()
        assert machine.variables["tries"] == [0, 1]
        machine.reset()
        assert machine.variables["tries"] == [0]

    def test_variables_of_the_class_are_not_shared_between_sessions(self):
        cls = bot([step("zero", "a")], {"a": waits_for_user}, variables={"seen": []})
        first, second = cls(Sent()), cls(Sent())
        first.variables["seen"].append(1)
        assert second.variables["seen"] == []

    def test_initialise_sets_variables_and_refuses_undeclared_ones(self):
        cls = bot([step("zero", "a")], {"a": waits_for_user}, variable_names=Order)
        assert turn(cls, count=4)[0]["main"]["variables"]["count"] == 4
        with pytest.raises(ValueError, match="'colour'"):
            turn(cls, colour="blue")
        free = bot([step("zero", "a")], {"a": waits_for_user})
        assert turn(free, colour="blue")[0]["main"]["variables"] == {"colour": "blue"}

    def test_a_variable_that_cannot_be_saved_is_named(self):
        class Odd(Variables):
            fine: int = 1
            handle: object = None

        def handler(self):
            self.variables.handle = object()
            waits_for_user(self)

        with pytest.raises(VariableError, match="'handle'"):
            turn(bot([step("zero", "a")], {"a": handler}, variable_names=Odd))

    def test_a_model_without_defaults_is_explained(self):
        class Needs(Variables):
            name: str

        with pytest.raises(VariableError, match=r"Needs.*name"):
            bot([step("zero", "a")], {"a": waits_for_user}, variable_names=Needs)(Sent())


class TestConstructors:
    def run(self, init):
        cls = bot([step("zero", "a")], {"a": waits_for_user})
        cls.__init__ = init
        return cls.get_machine(Sent(), {"KEY": "secret"}).credentials

    def test_all_usual_forms_get_the_credentials(self):
        def positional(self, send_message, credentials=None):
            self.credentials = credentials
            AbstractFSM.__init__(self, send_message=send_message)

        def other_name(self, send, creds):
            self.credentials = creds
            AbstractFSM.__init__(self, send_message=send)

        def keyword(self, send_message, *, credentials=None, **kw):
            self.credentials = credentials
            AbstractFSM.__init__(self, send_message=send_message)

        def anything(self, *args, **kwargs):
            self.credentials = args[1]
            AbstractFSM.__init__(self, args[0])

        def none(self, send_message):
            AbstractFSM.__init__(self, send_message)

        for init in (positional, other_name, keyword, anything, none):
            assert self.run(init) == {"KEY": "secret"}, init.__name__

    def test_one_session_cannot_write_into_the_next_one_s_credentials(self):
        mine = {"KEY": "secret"}
        cls = bot([step("zero", "a")], {"a": lambda self: (self.credentials.clear(), waits_for_user(self))})
        turn(cls, credentials=mine)
        assert mine == {"KEY": "secret"}

    def test_a_forgotten_super_is_explained(self):
        cls = bot([step("zero", "a")], {"a": waits_for_user})
        cls.__init__ = lambda self, send_message, credentials=None: None
        with pytest.raises(Exception, match=r"super\(\).__init__"):
            turn(cls)


def test_a_reference_is_announced_before_it_is_returned():
    sent = Sent()
    machine = bot([step("zero", "a")], {"a": waits_for_user})(sent)
    reference = machine.get_reference_id()
    assert reference.startswith("jbkey")
    assert reference.endswith("jbkey")
    assert len(reference) == 35
    assert sent[0].intent is FSMIntent.WEBHOOK
    assert sent[0].webhook.reference_id == reference
    assert machine.get_reference_id() != reference
