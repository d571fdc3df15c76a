"""Nested machines: how they run, wait, return, and are saved."""

import enum

import pytest

from botyard.fsm import AbstractFSM, PluginError, ReturnStatus, Status, Variables
from tests.unit.fsm.bots import Sent, bot, moves_on, step, turn, waits_for_callback, waits_for_user, where


class Ends(enum.Enum):
    SUCCESS = "SUCCESS"
    REFUSED = "REFUSED"


class PayVariables(Variables):
    amount: int = 0
    receipt: str = ""


def pays(self):
    self.variables.receipt = f"{self.variables.amount}:{self.current_callback}"
    if self.current_callback == "no":
        self.return_status = Ends.REFUSED
    moves_on(self)


Pay = bot(
    [step("zero", "ask"), step("ask", "read"), step("read", "end")],
    {"ask": waits_for_callback, "read": pays},
    variable_names=PayVariables,
    return_status_values=Ends,
    output_variables={"receipt"},
)
Pay.states = [*Pay.states, "end"]

Count = bot(
    [step("zero", "ask"), step("ask", "read"), step("read", "end")],
    {
        "ask": waits_for_user,
        "read": lambda self: (self.variables.update(error_code=200, answer=self.current_input), moves_on(self)),
    },
    output_variables={"error_code", "answer"},
)
Count.states = [*Count.states, "end"]


class ShopVariables(Variables):
    total: int = 12
    slip: str | None = None
    code: str | None = None


def shop(plugin, handler, after=waits_for_user, **members):
    class Shop(bot([step("zero", "pay"), step("pay", "done")], {"pay": handler, "done": after}, **members)):
        def __init__(self, send_message, credentials=None):
            self.credentials = credentials or {}
            self.plugins = {"pay": plugin(send_message, credentials)}
            AbstractFSM.__init__(self, send_message=send_message)

    return Shop


def helper(self):
    self._on_enter_plugin("pay", {"amount": "total"}, {"receipt": "slip"}, message="Paying.")


class TestByName:
    cls = shop(Pay, helper, variable_names=ShopVariables)

    def test_the_parent_waits_with_its_plugin_and_both_are_saved(self):
        state, sent = turn(self.cls)
        assert state["main"]["status"] == Status.WAIT_FOR_PLUGIN.value
        assert state["plugins"]["pay"]["main"] == {
            "state": "ask",
            "status": Status.WAIT_FOR_CALLBACK.value,
            "variables": {"amount": 12, "receipt": ""},
        }
        assert sent.texts == ["Paying."]

    def test_the_callback_goes_to_the_plugin_whose_outputs_come_back(self):
        state, _ = turn(self.cls)
        state, sent = turn(self.cls, state, callback="yes")
        assert where(state) == "done"
        assert state["main"]["variables"]["slip"] == "12:yes"
        assert state["plugins"]["pay"]["main"] == {
            "state": "zero",
            "status": 2,
            "variables": {"amount": 0, "receipt": ""},
        }
        assert sent.texts == []

    def test_chatter_while_the_plugin_waits_changes_and_sends_nothing(self):
        before, _ = turn(self.cls)
        after, sent = turn(self.cls, before, text="are we there yet?")
        assert after == before
        assert not sent

    def test_inputs_are_a_variable_a_credential_or_the_value_itself(self):
        for source, amount in (("total", "12"), ("KEY", "secret"), ("literal", "literal"), (7, "7")):
            cls = shop(
                Pay,
                lambda self, source=source: self._on_enter_plugin("pay", {"amount": source}, {"receipt": "slip"}),
                variable_names=ShopVariables,
            )
            machine = cls.get_machine(Sent(), {"KEY": "secret"})
            machine.run()
            assert str(machine.plugins["pay"].variables.amount) == amount

    def test_the_return_status_decides_where_the_parent_goes(self):
        class Shop(self.cls):
            states = ["zero", "pay", "done", "refused"]
            transitions = [step("zero", "pay"), step("pay", "done", "paid"), step("pay", "refused")]

            def paid(self):
                return self._plugin_error_code_validation(Ends.SUCCESS)

            def on_enter_refused(self):
                waits_for_user(self)

        for callback, goes in (("yes", "done"), ("no", "refused")):
            state, _ = turn(Shop)
            assert where(turn(Shop, state, callback=callback)[0]) == goes

    def test_a_missing_output_and_an_unknown_plugin_are_named(self):
        missing = shop(
            Pay, lambda self: self._on_enter_plugin("pay", {}, {"bill": "slip"}), variable_names=ShopVariables
        )
        state, _ = turn(missing)
        with pytest.raises(PluginError, match=r"no output 'bill'.*'receipt'"):
            turn(missing, state, callback="yes")
        with pytest.raises(PluginError, match=r"no plugin 'fly'.*'pay'"):
            turn(shop(Pay, lambda self: self.run_plugin("fly")))


class TestByFunction:
    def run(self, function):
        def handler(self):
            self._on_enter_plugin(function, {"amount": "total"}, {"receipt": "slip"})

        class Shop(bot([step("zero", "pay"), step("pay", "done", "ok")], {"pay": handler, "done": waits_for_user})):
            variable_names = ShopVariables

            def ok(self):
                return self._plugin_error_code_validation(200)

        return turn(Shop)[0]["main"]

    def test_a_function_gets_the_inputs_and_returns_a_dict_with_its_error_code(self):
        main = self.run(lambda amount: {"error_code": 200, "receipt": f"R{amount}"})
        assert (main["state"], main["variables"]["slip"]) == ("done", "R12")

    def test_anything_else_is_explained(self):
        with pytest.raises(PluginError, match="must return a dict, not int"):
            self.run(lambda amount: 5)


class TestResults:
    def result(self, plugin, **given):
        seen = []

        def handler(self):
            self.status = Status.WAIT_FOR_ME
            answer = self.run_plugin("pay")
            if answer == self.RUN_TOKEN:
                return
            seen.append(answer)
            moves_on(self)

        cls = shop(plugin, handler)
        state, _ = turn(cls)
        assert state["main"]["status"] == Status.WAIT_FOR_PLUGIN.value
        turn(cls, state, **given)
        return seen[0]

    def test_a_plugin_with_declared_variables_returns_status_and_outputs(self):
        status, outputs = answer = self.result(Pay, callback="yes")
        assert (status, outputs) == (Ends.SUCCESS, {"receipt": "0:yes"})
        assert answer == (Ends.SUCCESS, {"receipt": "0:yes"})
        assert (answer[0], answer[1]) == (status, outputs)

    def test_its_outputs_can_be_read_by_name_as_well(self):
        answer = self.result(Pay, callback="no")
        assert answer["receipt"] == "0:no"
        assert answer.get("other") is None
        assert dict(answer.items()) == {"receipt": "0:no"}
        assert answer[0] is Ends.REFUSED

    def test_a_plugin_with_dict_variables_returns_outputs(self):
        answer = self.result(Count, text="three")
        assert answer["answer"] == "three"
        assert sorted(answer) == ["answer", "error_code"]
        assert answer != "RUNNING"

    def test_an_output_named_error_code_is_the_code_for_the_helper(self):
        cls = shop(Count, lambda self: self._on_enter_plugin("pay", {}, {"answer": "heard"}))
        state, _ = turn(cls)
        machine = cls.get_machine(Sent())
        machine._restore_state(*state["main"].values(), state["plugins"])
        machine.submit_input("three")
        machine.run()
        assert machine.temp_variables["error_code"] == 200
        assert machine.variables["heard"] == "three"


def test_run_tells_whether_a_machine_waits_or_how_it_ended():
    machine = Pay(Sent())
    assert machine.run() == "RUNNING"
    machine.submit_callback("yes")
    assert machine.run() == (Ends.SUCCESS, {"receipt": "0:yes"})
    assert AbstractFSM.return_status_values is ReturnStatus


def test_plugins_nest_and_reset_together():
    inner = shop(Pay, lambda self: self._on_enter_plugin("pay", {}, {}), after=lambda self: moves_on(self))
    inner.states = [*inner.states, "end"]
    inner.transitions = [*inner.transitions, step("done", "end")]
    outer = shop(inner, lambda self: self._on_enter_plugin("pay", {}, {}))
    state, _ = turn(outer)
    assert state["plugins"]["pay"]["plugins"]["pay"]["main"]["state"] == "ask"
    ignored, _ = turn(outer, state, text="hm")
    assert ignored == state
    state, _ = turn(outer, state, callback="yes")
    assert where(state) == "done"
    machine = outer.get_machine(Sent(), {}, plugin_states=state["plugins"], state="done", status=1)
    machine.reset()
    assert machine.plugins["pay"].plugins["pay"].state == "zero"
