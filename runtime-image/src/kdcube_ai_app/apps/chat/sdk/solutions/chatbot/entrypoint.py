"""What a bundle's workflow derives from."""

from botyard.workflow import entrypoint
from botyard.workflow.relays import Relay
from kdcube_ai_app.apps.chat import emitters
from kdcube_ai_app.apps.chat.emitters import build_comm_from_comm_context, build_relay_from_env

__all__ = ["BaseEntrypoint", "build_comm_from_comm_context", "build_relay_from_env"]

_OWN = build_relay_from_env


class BaseEntrypoint(entrypoint.BaseEntrypoint):
    """`botyard.workflow.BaseEntrypoint`, with the relay of `build_relay_from_env`.

    Hosts replace that function, in `kdcube_ai_app.apps.chat.emitters` or in this module.
    """

    def _build_relay(self) -> Relay:
        replaced = build_relay_from_env is not _OWN
        return build_relay_from_env() if replaced else emitters.build_relay_from_env()
