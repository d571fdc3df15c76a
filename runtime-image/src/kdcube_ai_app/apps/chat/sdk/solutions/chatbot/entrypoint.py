"""What a bundle's workflow derives from."""

from botyard.workflow import entrypoint
from botyard.workflow.relays import Relay
from kdcube_ai_app.apps.chat import emitters

__all__ = ["BaseEntrypoint"]


class BaseEntrypoint(entrypoint.BaseEntrypoint):
    """`botyard.workflow.BaseEntrypoint`, with the relay of `kdcube_ai_app.apps.chat.emitters`: hosts replace it."""

    def _build_relay(self) -> Relay:
        return emitters.build_relay_from_env()
