"""What helpers, plugins and sessions need of a machine, without knowing its class: it is built on top of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from botyard.fsm.status import Status


class MachineHelpers:
    """Typed view of a machine."""

    if TYPE_CHECKING:
        status: Status
        variables: Any
        temp_variables: dict[str, Any]
        credentials: dict[str, Any]
        plugins: dict[str, Any]
        _reentered: bool
        send_message: Callable[[Any], Any]
        states: ClassVar[list[Any]]
        transitions: ClassVar[list[Any]]
        RUN_TOKEN: ClassVar[str]
        return_status_values: ClassVar[Any]
        state: Any
        outputs: dict[str, Any]
        return_status: Any
        _model: Any
        _structure: Any

        @property
        def state_name(self) -> str:
            """See `AbstractFSM`."""

        @property
        def current_input(self) -> Any:
            """See `AbstractFSM`."""

        @property
        def current_callback(self) -> Any:
            """See `AbstractFSM`."""

        def run_plugin(self, plugin: str, **kwargs: Any) -> Any:
            """See `AbstractFSM`."""

        def _save_state(self) -> dict[str, Any]: ...

        def _restore_state(self, state: Any, status: Any, variables: Any, plugin_states: Any) -> None: ...

    def _credentials(self) -> dict[str, Any]:
        """Return the credentials, also of a bot that did not keep them."""
        return getattr(self, "credentials", None) or {}
