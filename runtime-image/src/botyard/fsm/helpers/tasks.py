"""Tasks: calls in a bot's constructor that add whole groups of states, transitions and conditions.

They add to the instance, never to the class: two sessions do not see each other's states. Call them before
`super().__init__()`.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botyard.fsm import expressions, variables
from botyard.fsm.helpers.display import DisplayHelpers
from botyard.fsm.helpers.logic import LogicHelpers
from botyard.fsm.helpers.plugin import PluginHelpers
from botyard.fsm.structure import INITIAL, state_name


class TaskHelpers(DisplayHelpers, LogicHelpers, PluginHelpers):
    """The `create_…_task` builders."""

    def create_select_language(self, state_name: str, destination: str, last_state: str = INITIAL) -> None:
        """Add a state that asks for a language, between `last_state` and `destination`."""
        self._add_state(state_name)
        self._add_method(f"on_enter_{state_name}", lambda self: self._on_enter_select_language())
        self._add_transition(last_state, state_name)
        self._add_transition(state_name, destination)

    def create_display_task(
        self,
        source: str,
        dest: str,
        message: str,
        options: Sequence[Any] | None = None,
        dialog: str | None = None,
        menu_selector: str | None = None,
        menu_title: str | None = None,
        media_url: str | None = None,
        dest_channel: str = "out",
        format_variables: Sequence[str] | None = None,
    ) -> None:
        """Add the state `source`, which shows a message and goes on to `dest`.

        Args:
            source: The state to add.
            dest: Where it goes on.
            message: The text; `{name}` is replaced for each name in `format_variables`.
            options: See `_on_enter_display`, as for the other arguments.
            dialog: See there.
            menu_selector: See there.
            menu_title: See there.
            media_url: See there.
            dest_channel: See there.
            format_variables: Variables whose values go into the text.
        """
        self._add_display_state(source)
        shown = (options, dialog, menu_selector, menu_title, media_url, dest_channel)
        names = list(format_variables or ())

        def show(self: TaskHelpers) -> None:
            text = message
            if names:
                text = message.format(**{name: variables.read(self.variables, name, "") for name in names})
            self._on_enter_display(text, *shown)

        self._add_method(f"on_enter_{source}", show)
        self._add_transition(source, dest)

    def create_input_task(
        self,
        name: str,
        message: str,
        success_dest: str,
        is_valid: Any = None,
        options: Sequence[Any] | None = None,
        dialog: str | None = None,
        menu_selector: str | None = None,
        menu_title: str | None = None,
        media_url: str | None = None,
        fail_dest: str | None = None,
        write_var: str | None = None,
        validation_expression: str | None = None,
    ) -> None:
        """Add the states that ask, wait and understand: `<name>_display`, `_input`, `_logic` and `_fail_display`.

        Begin with a transition to `<name>_display`.

        Args:
            name: Prefix of the states.
            message: The question.
            success_dest: Where a valid answer leads.
            is_valid: Name of a condition of the bot, or a function of the value; what makes an answer valid. Without
                it `validation_expression` decides, and without both any answer that was understood.
            options: The choices to show.
            dialog: See `_on_enter_display`, as for the next three.
            menu_selector: See there.
            menu_title: See there.
            media_url: See there.
            fail_dest: Where another answer leads; without it the question is asked again.
            write_var: The variable that keeps the answer; `name` where it is not given.
            validation_expression: A Python expression over the variable's name.
        """
        variable = write_var or name
        self._add_input_states(name)
        self._create_on_enter_display(
            f"on_enter_{name}_display", message, options, dialog, menu_selector, menu_title, media_url
        )
        self._create_on_enter_input(f"on_enter_{name}_input")
        self._create_on_enter_input_logic_method(f"{name}_logic", variable, options, message, validation_expression)
        self._create_on_enter_display(f"on_enter_{name}_fail_display", "Sorry, that was not understood.")
        condition = is_valid if isinstance(is_valid, str) else f"is_valid_{variable}"
        if callable(is_valid):
            self._add_method(condition, lambda self: self._validate_method(variable, is_valid))
        elif is_valid is None:
            expression = validation_expression or f"{variable} is not None"
            self._create_is_valid_method(condition, expression, variable)
        self._add_transition(f"{name}_display", f"{name}_input")
        self._add_transition(f"{name}_input", f"{name}_logic")
        self._add_transition(f"{name}_logic", success_dest, conditions=condition)
        self._add_transition(f"{name}_logic", fail_dest or f"{name}_fail_display")
        self._add_transition(f"{name}_fail_display", f"{name}_display")

    def create_branching_task(self, source: str, transitions: Sequence[Mapping[str, Any]]) -> None:
        """Add the state `source` whose transitions have conditions.

        Args:
            source: The state to add.
            transitions: `{"condition": name of a condition, "dest": state}` each, tried in their order.
        """
        self._create_state_with_empty_on_enter(source)
        for transition in transitions:
            self._add_transition(source, transition["dest"], conditions=transition.get("condition"))

    def create_plugin_task(
        self,
        source: str,
        message: str | None,
        plugin_fn: Any,
        input_variables: dict[str, Any],
        output_variables: dict[str, str],
        transitions: Sequence[Mapping[str, Any]],
    ) -> None:
        """Add the state `source`, which runs a plugin.

        Args:
            source: The state to add.
            message: Text for the user before the plugin begins.
            plugin_fn: See `_on_enter_plugin`, as for the next two.
            input_variables: See there.
            output_variables: See there.
            transitions: `{"condition": code that the plugin ends with, "dest": state}` each.
        """
        self._add_state(source)
        run = (plugin_fn, input_variables, output_variables, message)
        self._add_method(f"on_enter_{source}", lambda self: self._on_enter_plugin(*run))
        for transition in transitions:
            code = transition.get("condition")
            condition = None
            if code is not None:
                condition = f"is_error_code_{getattr(code, 'value', code)}"
                self._create_plugin_error_code_method(condition, code)
            self._add_transition(source, transition["dest"], conditions=condition)

    def create_assign_task(self, source: str, dest: str, fn_name: str, expression: str, variable: str) -> None:
        """Add the state `source`, which sets a variable.

        Args:
            source: The state to add.
            dest: Where it goes on.
            fn_name: Name of the method that computes the value.
            expression: A Python expression over the variable's name.
            variable: The variable.
        """
        compute = expressions.function_of(expression, variable)
        self._add_state(source)
        self._add_method(fn_name, lambda self: compute(variables.read(self.variables, variable)))
        self._add_method(f"on_enter_{source}", lambda self: self._on_enter_assign(variable, compute))
        self._add_transition(source, dest)

    # --- parts of tasks

    def _add_state(self, state_name: str) -> None:
        if state_name not in map(_name_of, self.states):
            self.__dict__["states"] = [*self.states, state_name]

    def _add_display_state(self, state_name: str) -> None:
        self._add_state(state_name)

    def _add_input_states(self, state_name: str) -> None:
        for part in ("display", "input", "logic", "fail_display"):
            self._add_state(f"{state_name}_{part}")

    def _add_method(self, name: str, fn: Callable[..., Any]) -> None:
        """Give this instance a method; `fn` takes the machine first."""
        self.__dict__[name] = types.MethodType(fn, self)

    def _add_transition(
        self, source: str, destination: str | None, trigger: str = "next", conditions: Any = None
    ) -> None:
        made = {"source": source, "dest": destination, "trigger": trigger}
        if conditions is not None:
            made["conditions"] = conditions
        if made not in self.transitions:
            self.__dict__["transitions"] = [*self.transitions, made]

    def _create_state_with_empty_on_enter(self, state_name: str) -> None:
        self._add_state(state_name)
        self._add_method(f"on_enter_{state_name}", lambda self: self._on_enter_empty_branching())

    def _create_on_enter_input(self, fn_name: str) -> None:
        self._add_method(fn_name, lambda self: self._on_enter_empty_input())

    def _create_on_enter_display(
        self,
        fn_name: str,
        message: str,
        options: Sequence[Any] | None = None,
        dialog: str | None = None,
        menu_selector: str | None = None,
        menu_title: str | None = None,
        media_url: str | None = None,
        dest_channel: str = "out",
    ) -> None:
        shown = (message, options, dialog, menu_selector, menu_title, media_url, dest_channel)
        self._add_method(fn_name, lambda self: self._on_enter_display(*shown))

    def _create_on_enter_input_logic_method(
        self,
        state_name: str,
        write_var: str,
        options: Sequence[Any] | None,
        message: str | None,
        validation: str | None,
    ) -> None:
        asked = (write_var, options, message, validation)
        self._add_method(f"on_enter_{state_name}", lambda self: self._on_enter_input_logic(*asked))

    def _create_is_valid_method(self, fn_name: str, expression: str, variable: str) -> None:
        compute = expressions.function_of(expression, variable)
        self._add_method(fn_name, lambda self: self._validate_method(variable, compute))

    def _create_plugin_error_code_method(self, name: str, error_code: Any) -> None:
        self._add_method(name, lambda self: self._plugin_error_code_validation(error_code))


def _name_of(state: Any) -> str:
    return state_name(state)
