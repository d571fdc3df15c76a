"""What the helpers need of the machine that they are mixed into."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from botyard.fsm.status import Status


class MachineHelpers:
    """Typed view of the machine for its helpers."""

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

        @property
        def current_input(self) -> Any:
            """See `AbstractFSM`."""

        def run_plugin(self, plugin: str, **kwargs: Any) -> Any:
            """See `AbstractFSM`."""

    def _credentials(self) -> dict[str, Any]:
        """Return the credentials, also of a bot that did not keep them."""
        return getattr(self, "credentials", None) or {}
