"""What is found out about a machine without running it."""

import pytest

from botyard.fsm import Variables
from botyard.fsm.inspection import inspect_machine
from tests.unit.fsm.bots import bot, ends, moves_on, step, waits_for_user


def codes(cls):
    return {(finding.code, finding.subject) for finding in inspect_machine(cls).findings}


def test_a_sound_machine_has_no_findings():
    transitions = [step("zero", "a"), step("a", "b", "yes"), step("a", "a")]
    cls = bot(transitions, {"a": moves_on, "b": ends}, yes=lambda self: True)
    described = inspect_machine(cls)
    assert described.findings == ()
    assert described.sound
    assert (described.name, described.states, described.variables) == ("Bot", ("zero", "a", "b"), None)


@pytest.mark.parametrize(
    ("transitions", "finding"),
    [
        ([step("zero", "a"), step("a", "a")], ("UnreachableState", "b")),
        ([step("zero", "a"), step("a", "b")], ("NoExit", "b")),
        ([step("a", "b"), step("b", "a")], ("NoStart", "zero")),
        ([step("zero", "a"), step("a", "b", "nobody"), step("b", "a")], ("UnknownCondition", "nobody")),
        ([step("zero", "a"), step("a", "gone"), step("b", "a")], ("UnknownState", "gone")),
        ([step("zero", "a"), step("a", "a"), step("a", "b", "yes"), step("b", "a")], ("ShadowedTransition", "a")),
        ([step("zero", "a"), step("a", "b", "yes"), step("b", "a")], ("MayBeStuck", "a")),
    ],
)
def test_faults_are_found(transitions, finding):
    cls = bot(transitions, {"a": waits_for_user, "b": waits_for_user}, yes=lambda self: True)
    assert finding in codes(cls)


def test_a_missing_handler_and_an_invalid_declaration_are_found():
    cls = bot([step("zero", "a")], {"a": ends})
    cls.states = ["zero", "a", "b"]
    assert ("MissingHandler", "b") in codes(cls)
    cls.transitions = [{"trigger": "next"}]
    assert codes(cls) == {("InvalidDeclaration", "Bot")}


def test_a_condition_and_its_opposite_cannot_get_stuck():
    cls = bot(
        [step("zero", "a"), step("a", "b", "yes"), step("a", "a", unless="yes"), step("b", "a")],
        {"a": waits_for_user, "b": waits_for_user},
        yes=lambda self: True,
    )
    assert codes(cls) == set()


def test_states_that_handlers_jump_to_are_reachable():
    cls = bot([step("zero", "a"), step("a", "a"), step("b", "a")], {"a": lambda self: self.to_b(), "b": moves_on})
    assert codes(cls) == set()


def test_the_diagram_shows_states_conditions_and_the_end():
    class V(Variables):
        name: str | None = None

    cls = bot(
        [step("zero", "ask"), step("ask", "end", ["yes", "sure"]), step("ask", "ask", unless="yes")],
        {"ask": waits_for_user, "end": ends},
        yes=lambda self: True,
        sure=lambda self: True,
        variable_names=V,
    )
    described = inspect_machine(cls)
    assert described.variables == ("name",)
    assert described.diagram() == (
        "stateDiagram-v2\n"
        '    state "ask" as s1\n'
        '    state "end" as s2\n'
        "    [*] --> s1\n"
        "    s1 --> s2 : yes and sure\n"
        "    s1 --> s1 : not yes\n"
        "    s2 --> [*]\n"
    )
