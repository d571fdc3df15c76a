"""The state that runs a plugin."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from botyard.fsm import variables
from botyard.fsm.errors import PluginError
from botyard.fsm.helpers.base import MachineHelpers
from botyard.fsm.messages import FSMIntent, FSMOutput, Message, MessageType, TextMessage
from botyard.fsm.plugins import PluginResult
from botyard.fsm.status import Status


class PluginHelpers(MachineHelpers):
    """`_on_enter_plugin` and the conditions on how the plugin ended."""

    def _on_enter_plugin(
        self,
        plugin: Any,
        input_variables: Mapping[str, Any],
        output_variables: Mapping[str, str],
        message: str | None = None,
    ) -> None:
        """Run a plugin and keep what it returns; the machine waits while the plugin does.

        Args:
            plugin: Name of a nested machine in `self.plugins`, or a function that takes the inputs as keywords and
                returns a dict with `error_code` and the outputs.
            input_variables: By name of the plugin's input: the name of a variable, else of a credential, else the
                value itself.
            output_variables: By name of the plugin's output: the variable that receives it.
            message: Text for the user before the plugin begins; not sent again when it goes on.

        Raises:
            PluginError: No such plugin, or it lacks an output.
        """
        self.status = Status.WAIT_FOR_ME
        if message and not self._reentered:
            content = Message(message_type=MessageType.TEXT, text=TextMessage(body=message))
            self.send_message(FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=content))
        inputs = {name: self._resolved(source) for name, source in input_variables.items()}
        if callable(plugin):
            result = plugin(**inputs)
            if not isinstance(result, Mapping):
                raise PluginError(f"Plugin {plugin!r} must return a dict, not {type(result).__name__}.")
            code = result.get("error_code")
        else:
            result = self.run_plugin(plugin, **inputs)
            if result == self.RUN_TOKEN:
                self.status = Status.WAIT_FOR_PLUGIN
                return
            code = _code_of(result)
        for name, variable in output_variables.items():
            if name not in result.keys():  # noqa: SIM118 - a PluginResult iterates over its pair
                known = ", ".join(map(repr, result.keys())) or "none"
                raise PluginError(f"Plugin {plugin!r} has no output {name!r} (it has: {known}).")
            variables.write(self.variables, variable, result[name])
        self.temp_variables["error_code"] = code
        self.status = Status.MOVE_FORWARD

    def _resolved(self, source: Any) -> Any:
        if not isinstance(source, str):
            return source
        if variables.has(self.variables, source):
            return variables.read(self.variables, source)
        return self._credentials().get(source, source)

    def _plugin_error_code_validation(self, error_code: Any) -> bool:
        """Return whether the last plugin ended with this code, given as the code or as an enum's member."""
        code = self.temp_variables.get("error_code")
        return bool(code == error_code or _plain(code) == _plain(error_code))


def _code_of(result: Any) -> Any:
    """Return how a nested machine ended: its own `error_code` output where it has one, else its return status."""
    if isinstance(result, PluginResult):
        return result.get("error_code", result.return_status)
    return result.get("error_code")


def _plain(code: Any) -> Any:
    return code.value if isinstance(code, Enum) else code
