"""The client that a bundle's program makes. On Botyard it only says who the bot is: nothing is reached over it.

Source: `FlexusClient` of the loop model's kit, whose connections go to a backend that Botyard does not have.
"""

import os
from collections.abc import AsyncIterator, Generator
from typing import Any

from botyard.loop.declaration import version_number, version_string
from botyard.loop.errors import query_error

marketplace_version_as_int = version_number
marketplace_version_as_str = version_string
NO_BACKEND = (
    "Botyard has no GraphQL backend; use the functions of ckit_kanban, ckit_ask_model and the like, "
    "and the handlers of rcx."
)


def bot_service_name(bot_name: str, bot_version: str | int) -> str:
    """Return the service name of a bot, such as `clerk_100020003` for clerk 1.2.3.

    Raises:
        ValueError: It is no version of the form 1.2.3.
    """
    return f"{bot_name}_{bot_version if isinstance(bot_version, int) else version_number(bot_version)}"


class FlexusClient:
    """Says which bot the program is."""

    def __init__(
        self,
        service_name: str,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        endpoint: str = "",
        skip_logger_init: bool = False,
        superuser: bool = False,
    ) -> None:
        """Remember who the bot is; what only the existing backend needs is accepted and not used.

        Attributes:
            ws_id: The Bot's namespace, once the bundle is loaded; bundles may ask for it in their install function.
        """
        self.service_name = service_name
        self.endpoint = endpoint
        self.base_url = base_url or ""
        self.superuser = superuser
        self.ws_id = os.environ.get("FLEXUS_WORKSPACE", "")
        self.group_id = os.environ.get("FLEXUS_GROUP", "")

    def use_http(self) -> "Transport":
        """Return what the kit's functions take as a connection."""
        return Transport("", "")

    def use_http_on_behalf(self, persona_id: str, fcall_untrusted_key: str = "") -> "Transport":
        """Return the same, of one Persona and one call of a tool."""
        return Transport(persona_id, fcall_untrusted_key)

    def use_ws(self) -> "Transport":
        """Return the same: events come to handlers, there is nothing to subscribe to."""
        return Transport("", "")


class Transport:
    """Stands for a connection: whose it is, and in which call. Bots of some releases await it, others do not."""

    def __init__(self, persona_id: str, call_key: str) -> None:
        self.persona_id = persona_id
        self.call_key = call_key

    def __await__(self) -> Generator[Any, None, "Transport"]:
        return self
        yield

    async def __aenter__(self) -> "Transport":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def execute(self, *_: Any, **__: Any) -> Any:
        """Refuse: there is no backend that takes queries.

        Raises:
            gql.transport.exceptions.TransportQueryError: Always; it says what to use.
        """
        raise query_error(NO_BACKEND)

    async def subscribe(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        """Refuse: there is no backend that tells anything.

        Raises:
            gql.transport.exceptions.TransportQueryError: Always; it says what to use.
        """
        raise query_error(NO_BACKEND)
        yield
