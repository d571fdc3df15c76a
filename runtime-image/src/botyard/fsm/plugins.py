"""Nested machines: a bot's plugins."""

from typing import TYPE_CHECKING, Any

from botyard.fsm.errors import PluginError
from botyard.fsm.helpers.base import MachineHelpers
from botyard.fsm.status import ReturnStatus, Status, default_return_status
from botyard.fsm.structure import INITIAL

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNING = "RUNNING"


class PluginResult(dict[str, Any]):
    """What a machine hands over at its end.

    Bots were written against two answers: a dict of outputs, and a pair of return status and outputs. This is both:
    `result["name"]`, `.get` and `.items()` read the outputs; `status, outputs = result`, `result[0]` and `result[1]`
    read the pair. Plain iteration yields the pair, except for a machine whose variables are a dict and that
    never touched its return status: such a machine knows dict results alone.
    """

    def __init__(self, outputs: dict[str, Any], return_status: Any, *, as_pair: bool) -> None:
        super().__init__(outputs)
        self.return_status = return_status
        self._as_pair = as_pair

    @classmethod
    def of(cls, machine: MachineHelpers) -> "PluginResult":
        """Return the result of a machine that has ended."""
        kind = type(machine)
        says_status = kind.return_status_values is not ReturnStatus or machine.return_status != default_return_status(
            kind
        )
        pair = says_status or machine._model is not None
        return cls(dict(machine.outputs), machine.return_status, as_pair=pair)

    @property
    def pair(self) -> tuple[Any, dict[str, Any]]:
        """Return status and outputs."""
        return self.return_status, dict(self.items())

    def __iter__(self) -> "Iterator[Any]":
        return iter(self.pair) if self._as_pair else iter(self.keys())

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int):
            return self.pair[key]
        return super().__getitem__(key)

    def __eq__(self, other: object) -> bool:
        return self.pair == other if isinstance(other, tuple) else super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None


def run_plugin(parent: MachineHelpers, name: str, variables: dict[str, Any]) -> Any:
    """Run the plugin of that name on the parent's input; see `AbstractFSM.run_plugin`."""
    try:
        plugin = parent.plugins[name]
    except (KeyError, TypeError):
        known = ", ".join(map(repr, parent.plugins)) or "none"
        raise PluginError(f"There is no plugin {name!r} in self.plugins (there are: {known}).") from None
    if plugin.state_name == INITIAL:
        plugin.initialise(**variables)
    else:
        plugin.submit_callback(parent.current_callback)
        plugin.submit_input(parent.current_input)
    result = plugin.run()
    if plugin.status is not Status.END:
        parent.status = Status.WAIT_FOR_PLUGIN
        return parent.RUN_TOKEN
    plugin.reset()
    return result
