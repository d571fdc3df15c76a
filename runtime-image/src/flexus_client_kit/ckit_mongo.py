"""The personal database of a Persona: what the Bot's credentials say."""

import os
from typing import Any

CREDENTIAL = "MONGODB_URI"


async def mongo_fetch_creds(client: Any, persona_id: str) -> str:
    """Return the address of the Persona's MongoDB.

    It is the Bot's credential `MONGODB_URI`; bots use a database of each Persona's own name in it.

    Raises:
        RuntimeError: The Bot has no such credential; the message says how to give it one.
    """
    if address := os.environ.get(CREDENTIAL):
        return address
    raise RuntimeError(f"This Bot has no MongoDB: declare spec.credentials with the name {CREDENTIAL}.")
