"""States that wait, branch, assign, and understand input."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from botyard.fsm import variables
from botyard.fsm.helpers.base import MachineHelpers
from botyard.fsm.helpers.display import option_list
from botyard.fsm.llm import llm_arguments
from botyard.fsm.parsers import Parser
from botyard.fsm.published import in_place_of
from botyard.fsm.status import Status


class LogicHelpers(MachineHelpers):
    """`_on_enter_input_logic` and its relatives."""

    def _on_enter_empty_input(self) -> None:
        """Wait for the user."""
        self.status = Status.WAIT_FOR_ME
        self.status = Status.WAIT_FOR_USER_INPUT

    def _on_enter_empty_branching(self) -> None:
        """Do nothing and move on: a state whose transitions have conditions."""
        self.status = Status.WAIT_FOR_ME
        self.status = Status.MOVE_FORWARD

    def _on_enter_assign(self, variable_name: str, lambda_func: Callable[[Any], Any]) -> None:
        """Set a variable to the function's result for its present value, and move on."""
        self.status = Status.WAIT_FOR_ME
        value = lambda_func(variables.read(self.variables, variable_name))
        variables.write(self.variables, variable_name, value)
        self.status = Status.MOVE_FORWARD

    def _on_enter_input_logic(
        self,
        write_var: str,
        options: Sequence[Any] | None = None,
        message: str | None = None,
        validation: str | None = None,
    ) -> None:
        """Understand the user's input, keep it in a variable, and move on.

        With options, the variable becomes the text of the one that the user chose: directly where the input is a
        reply to buttons, an id or a text of them, otherwise by the model. Without, the model brings the input into
        the form that `validation` describes; with neither a validation nor a question, the input is kept as it is.
        What cannot be understood leaves None.

        Args:
            write_var: The variable to write.
            options: The choices that were shown.
            message: The question that was asked.
            validation: What the answer must satisfy, in words.
        """
        self.status = Status.WAIT_FOR_ME
        given = self.current_input
        if options:
            value = self._chosen_option(options, message, given)
        elif message is None and validation is None:
            value = given
        else:
            value = self._formatted_answer(message, validation, given)
        variables.write(self.variables, write_var, value)
        self.status = Status.MOVE_FORWARD

    def _chosen_option(self, options: Sequence[Any], message: str | None, given: Any) -> str | None:
        choices = option_list(options)
        texts = {choice.option_id: choice.option_text for choice in choices}
        direct = direct_choice(texts, given)
        if direct is not None:
            return direct
        task = f"The user was asked: {message}" if message else "The user was asked to choose an option."
        answer = _parser().parse_user_input(task, choices, given, **self._llm_arguments())
        return texts.get(str(answer.get("id", "")))

    def _formatted_answer(self, message: str | None, validation: str | None, given: Any) -> Any:
        task = (
            f"The user was asked: {message or 'for some input'}\n"
            f"The answer must satisfy: {validation or 'it answers the question'}\n"
            'Bring the answer into the form asked for. Reply with the JSON object {"result": <the answer>}; '
            "the result is null where the input is no such answer."
        )
        return _parser().parse_user_input(task, None, given, **self._llm_arguments()).get("result")

    def _llm_arguments(self) -> dict[str, Any]:
        return llm_arguments(self._credentials())

    def _validate_method(self, variable_name: str, lambda_func: Callable[[Any], Any]) -> bool:
        """Return whether the function holds for a variable; an exception in it counts as no."""
        try:
            return bool(lambda_func(variables.read(self.variables, variable_name)))
        except Exception:
            return False


def _parser() -> type[Parser]:
    return in_place_of(Parser, "abstract_fsm", "Parser")


def direct_choice(texts: dict[str, str], given: Any) -> str | None:
    """Return the text of the option that an input names without doubt, or None."""
    if not isinstance(given, str):
        return None
    wanted = given.strip()
    if wanted.startswith("["):
        try:
            replies = json.loads(wanted)
            wanted = str(replies[0]["option_id"])
        except (ValueError, LookupError, TypeError):
            return None
    if wanted in texts:
        return texts[wanted]
    folded = wanted.casefold()
    return next((text for text in texts.values() if text.strip().casefold() == folded), None)
