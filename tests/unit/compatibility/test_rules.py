"""Which saved sessions a revision can go on with."""

import pytest

from botyard.compatibility import Judge
from botyard.contract.machine import MachineShape
from botyard.fsm import Variables
from botyard.fsm.session import restore_document
from tests.unit.fsm.bots import Sent, bot, step, waits_for_user


class Order(Variables):
    name: str = None
    cents: int = 0
    lines: list[str] = []


SHAPE = MachineShape(
    states=("zero", "ask", "end"),
    variables=Order.model_json_schema(),
    nested={"payment": MachineShape(states=("zero", "pay"), variables={"properties": {"paid": {"type": "boolean"}}})},
)


def session(state="ask", plugins=None, **variables):
    return {"main": {"state": state, "status": 1, "variables": variables}, "plugins": plugins or {}}


def found(saved, shape=SHAPE):
    return [(misfit.kind, misfit.subject) for misfit in Judge(shape).misfits(saved)]


@pytest.mark.parametrize(
    "saved",
    [
        session(),
        session("zero", name="Ada", cents=3, lines=["a"]),
        session(name=None),
        session(forgotten=None, emptied=[], zero=0),
        session(plugins={"payment": session("pay", paid=True)}),
        session(plugins={"payment": {}, "gone": {}}),
        session() | {"references": ["jbkey1jbkey"]},
    ],
)
def test_sessions_that_can_go_on(saved):
    assert found(saved) == []


@pytest.mark.parametrize(
    ("saved", "misfits"),
    [
        (session("paid"), [("StateGone", "paid")]),
        (session(forgotten="x"), [("VariableGone", "forgotten")]),
        (session(cents="many"), [("VariableInvalid", "cents")]),
        (session("paid", lines=[1]), [("StateGone", "paid"), ("VariableInvalid", "lines")]),
        (session(plugins={"gone": session()}), [("PluginGone", "gone")]),
        (session(plugins={"payment": session("ask")}), [("StateGone", "payment.ask")]),
        (session(plugins={"payment": session("pay", paid="x")}), [("VariableInvalid", "payment.paid")]),
        ({"threads": []}, [("NotASession", "session")]),
        ("zero", [("NotASession", "session")]),
    ],
)
def test_what_does_not_fit_is_named(saved, misfits):
    assert found(saved) == misfits


def test_variables_that_are_a_dict_take_everything():
    assert found(session(anything={"x": [1]}), MachineShape(states=("ask",))) == []


def test_a_variable_without_default_must_be_there():
    shape = MachineShape(states=("ask",), variables={"properties": {"a": {"type": "string"}}, "required": ["a"]})
    assert found(session(), shape) == [("VariableInvalid", "a")]
    assert found(session(a="x"), shape) == []


def test_references_of_a_schema_are_followed_inside_of_it_only():
    definitions = {"$defs": {"Line": {"type": "object", "required": ["n"]}}}
    inside = MachineShape(states=("ask",), variables={**definitions, "properties": {"a": {"$ref": "#/$defs/Line"}}})
    assert found(session(a={"n": 1}), inside) == []
    assert found(session(a={}), inside) == [("VariableInvalid", "a")]


def test_a_machine_restores_what_fits_and_refuses_what_does_not():
    """The rules, which know no code, agree with the machine on states, plugins and types."""
    cls = bot([step("zero", "ask"), step("ask", "ask")], {"ask": waits_for_user}, variable_names=Order)
    shape = MachineShape(states=("zero", "ask"), variables=Order.model_json_schema())
    for saved in (session(cents=1), session("gone"), session(cents="x"), session(name=None), session(lines="a")):
        machine = cls(Sent())
        try:
            restore_document(machine, saved)
            restored = True
        except ValueError:
            restored = False
        assert restored is (found(saved, shape) == []), saved
