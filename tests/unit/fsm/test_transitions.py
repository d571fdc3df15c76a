"""Which transition a step takes, and what is reported when none can be taken."""

import pytest
from transitions import MachineError

from botyard.fsm import (
    ConditionsFalseError,
    FsmError,
    NoTransitionError,
    StateUnfinishedError,
    Status,
    TooManyStepsError,
)
from tests.unit.fsm.bots import Sent, bot, moves_on, step, turn, waits_for_user, where


def branching(results: dict, **members):
    """A bot whose "zero" leads to one state for each condition, in the order given."""
    transitions = [step("zero", f"after_{name}", name) for name in results]
    handlers = {f"after_{name}": waits_for_user for name in results}
    methods = {name: (lambda self, result=result: result) for name, result in results.items()}
    return bot(transitions, handlers, **methods, **members)


@pytest.mark.parametrize("names", [("a_first", "b_second"), ("b_first", "a_second"), ("z", "a", "m")])
def test_the_first_declared_transition_wins_whatever_its_condition_is_called(names):
    state, _ = turn(branching(dict.fromkeys(names, True)))
    assert where(state) == f"after_{names[0]}"


def test_conditions_are_evaluated_in_declared_order_and_stop_at_the_first_that_holds():
    asked = []

    def says(name, result):
        def condition(self):
            asked.append(name)
            return result

        return condition

    transitions = [step("zero", "a", "no"), step("zero", "b", "yes"), step("zero", "a", "late")]
    cls = bot(
        transitions,
        {"a": waits_for_user, "b": waits_for_user},
        no=says("no", False),
        yes=says("yes", True),
        late=says("late", True),
    )
    state, _ = turn(cls)
    assert where(state) == "b"
    assert asked == ["no", "yes"]


def test_a_condition_that_several_transitions_name_is_evaluated_once_in_a_step():
    asked = []

    def flips(self):
        asked.append(True)
        return len(asked) > 1  # a second evaluation would say otherwise

    cls = bot(
        [step("zero", "a", "flips"), step("zero", "b", ["flips", "flips"]), step("zero", "c", unless="flips")],
        dict.fromkeys("abc", waits_for_user),
        flips=flips,
    )
    state, _ = turn(cls)
    assert (where(state), len(asked)) == ("c", 1)


def test_a_condition_is_evaluated_anew_in_the_next_step():
    asked = []
    cls = bot(
        [step("zero", "a", "yes"), step("a", "b", "yes")],
        {"a": moves_on, "b": waits_for_user},
        yes=lambda self: asked.append(1) is None,
    )
    turn(cls)
    assert len(asked) == 2


def test_conditions_write_variables_and_read_the_input():
    def keeps(self):
        self.variables["heard"] = self.current_input
        return True

    state, _ = turn(bot([step("zero", "a", "keeps")], {"a": waits_for_user}, keeps=keeps), text="hello")
    assert state["main"]["variables"] == {"heard": "hello"}


def test_all_conditions_of_a_list_must_hold():
    cls = bot(
        [step("zero", "a", ["yes", "no"]), step("zero", "b", ["yes", "yes_too"])],
        dict.fromkeys("ab", waits_for_user),
        yes=lambda self: True,
        yes_too=lambda self: True,
        no=lambda self: False,
    )
    assert where(turn(cls)[0]) == "b"


def test_lists_of_sources_stand_beside_single_ones():
    cls = bot(
        [step("zero", "a"), step(["a", "b"], "c"), step("c", "d")],
        {"a": moves_on, "b": moves_on, "c": moves_on, "d": waits_for_user},
    )
    assert where(turn(cls)[0]) == "d"


def test_an_unconditional_transition_declared_first_is_taken():
    cls = bot([step("zero", "a"), step("zero", "b", "yes")], dict.fromkeys("ab", waits_for_user), yes=lambda self: True)
    assert where(turn(cls)[0]) == "a"


def test_conditions_that_are_not_in_the_set_work():
    cls = branching({"undeclared": True}, conditions={})
    assert where(turn(cls)[0]) == "after_undeclared"


def test_all_conditions_false_is_an_error_that_names_the_state_and_its_conditions():
    with pytest.raises(ConditionsFalseError, match=r"'zero'.*a\(\) returned False.*b\(\) returned False") as raised:
        turn(branching({"a": False, "b": False}))
    assert raised.value.state == "zero"
    assert raised.value.results == {"a": False, "b": False}


def test_a_condition_that_returns_no_truth_value_is_named_in_the_error():
    with pytest.raises(ConditionsFalseError, match=r"a\(\) returned 'yes'.*must return True or False"):
        turn(branching({"a": "yes"}))


def test_a_false_condition_may_itself_make_the_machine_wait():
    def waits(self):
        self.status = Status.WAIT_FOR_USER_INPUT
        return False

    state, _ = turn(bot([step("zero", "a", "waits")], {"a": moves_on}, waits=waits))
    assert state["main"] == {"state": "zero", "status": 1, "variables": {}}


def test_a_state_that_nothing_leaves_is_an_error():
    with pytest.raises(NoTransitionError, match=r"'a'.*Status.END") as raised:
        turn(bot([step("zero", "a")], {"a": moves_on}))
    assert isinstance(raised.value, FsmError)
    assert isinstance(raised.value, MachineError)


def test_a_state_left_in_wait_for_me_is_an_error_that_names_it():
    def forgets(self):
        self.status = Status.WAIT_FOR_ME

    with pytest.raises(StateUnfinishedError, match="on_enter_a"):
        turn(bot([step("zero", "a"), step("a", "zero")], {"a": forgets}))


def test_a_cycle_that_never_waits_is_stopped_and_shows_its_states():
    cls = bot([step("zero", "a"), step("a", "b"), step("b", "a")], {"a": moves_on, "b": moves_on}, max_steps=100)
    with pytest.raises(TooManyStepsError, match=r"more than 100 steps.*a -> b -> a"):
        turn(cls)


def test_a_machine_may_take_exactly_as_many_steps_as_it_is_allowed():
    def counts(self):
        self.variables["n"] = self.variables("n", 0) + 1
        self.status = Status.WAIT_FOR_USER_INPUT if self.variables["n"] == 99 else Status.MOVE_FORWARD

    cls = bot([step("zero", "a"), step("a", "a")], {"a": counts}, max_steps=99)
    assert turn(cls)[0]["main"]["variables"]["n"] == 99


def test_exceptions_in_states_and_conditions_reach_the_caller():
    def fails(self):
        raise LookupError("no such bicycle")

    with pytest.raises(LookupError, match="no such bicycle"):
        turn(bot([step("zero", "a")], {"a": fails}))
    with pytest.raises(LookupError, match="no such bicycle"):
        turn(bot([step("zero", "a", "fails")], {"a": waits_for_user}, fails=fails))


class TestWhatTransitionsGives:
    def test_unless_before_after_prepare_and_exit_callbacks_run_in_the_library_s_order(self):
        called = []

        def notes(name):
            return lambda self: called.append(name)

        cls = bot(
            [step("zero", "a", unless="no", prepare="get_ready", before="go", after="arrive")],
            {"a": lambda self: (called.append("enter"), waits_for_user(self))},
            no=lambda self: called.append("unless") is not None,
            get_ready=notes("prepare"),
            go=notes("before"),
            arrive=notes("after"),
            on_exit_zero=notes("exit"),
        )
        turn(cls)
        assert called == ["prepare", "unless", "before", "exit", "enter", "after"]

    def test_is_state_may_next_and_to_state_exist_without_a_zero_in_the_states(self):
        cls = bot([step("zero", "a"), step("a", "b", "no")], dict.fromkeys("ab", waits_for_user), no=lambda self: False)
        cls.states = ["a", "b"]
        machine = cls(Sent())
        assert machine.state == "zero"
        assert machine.is_zero()
        assert machine.may_next()
        assert machine.to_a()
        assert machine.is_a()
        assert not machine.is_zero()
        assert not machine.may_next()
        assert machine.trigger("to_b")
        assert machine.is_b()

    def test_a_state_may_fire_its_own_triggers(self):
        def jumps(self):
            self.skip()

        cls = bot(
            [step("zero", "a"), {"source": "a", "dest": "c", "trigger": "skip"}, step("a", "b")],
            {"a": jumps, "b": waits_for_user, "c": waits_for_user},
        )
        assert where(turn(cls)[0]) == "c"

    def test_methods_of_the_bot_go_before_generated_ones(self):
        cls = bot([step("zero", "a", "is_a")], {"a": waits_for_user}, is_a=lambda self: True)
        assert where(turn(cls)[0]) == "a"

    def test_unknown_attributes_and_failing_properties_report_themselves(self):
        cls = bot([step("zero", "a")], {"a": waits_for_user}, broken=property(lambda self: self.missing))
        machine = cls(Sent())
        with pytest.raises(AttributeError, match="nothing_like_it"):
            machine.nothing_like_it  # noqa: B018
        with pytest.raises(AttributeError, match="missing"):
            machine.broken  # noqa: B018


class TestDeclarations:
    @pytest.mark.parametrize(
        ("members", "says"),
        [
            ({"states": []}, "declares no states"),
            ({"transitions": []}, "declares no transitions"),
            ({"conditions": {"nobody"}}, "condition 'nobody'"),
            ({"states": ["zero", "a", "b"]}, "on_enter_b"),
        ],
    )
    def test_what_is_missing_is_named(self, members, says):
        cls = bot([step("zero", "a")], {"a": waits_for_user})
        for name, value in members.items():
            setattr(cls, name, value)
        with pytest.raises(ValueError, match=says):
            cls.check_sanity()
        with pytest.raises(ValueError, match=says):
            cls(Sent())

    def test_the_state_end_needs_no_method(self):
        cls = bot([step("zero", "end")], {})
        cls.states = ["zero", "end"]
        assert turn(cls)[0]["main"] == {"state": "zero", "status": 2, "variables": {}}


def test_the_structure_is_built_once_for_all_sessions(monkeypatch):
    from botyard.fsm import structure

    built = []
    original = structure.Structure.__init__
    monkeypatch.setattr(
        structure.Structure, "__init__", lambda self, *a, **k: (built.append(1), original(self, *a, **k))[1]
    )
    cls = bot([step("zero", "a"), step("a", "a")], {"a": waits_for_user})
    state = None
    for _ in range(50):
        state, _ = turn(cls, state, text="x")
    assert len(built) == 1
    assert not any(name.startswith(("to_", "is_", "may_", "next")) for name in vars(cls(Sent())))
