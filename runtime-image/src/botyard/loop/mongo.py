"""The personal MongoDB of a Persona: where it is."""

import os

from botyard.loop.context import current

CREDENTIAL = "MONGODB_URI"
"""Credential of the Bot that holds for Personas without a database of their own."""


def address_of(persona: str) -> str:
    """Return the address of a Persona's MongoDB: its own (`spec.mongo`), else the Bot's credential `MONGODB_URI`.

    Raises:
        RuntimeError: It has none, or the code runs for another Persona; the message says what to do.
    """
    own = ""
    try:
        rcx = current()
    except RuntimeError:
        rcx = None
    if rcx is not None:
        if persona not in ("", rcx.persona.persona_id):
            raise RuntimeError(f"a bot has the database of its own Persona, not that of {persona}")
        own = rcx.mongo_uri
    if address := own or os.environ.get(CREDENTIAL):
        return address
    raise RuntimeError(
        f"This Persona has no MongoDB: declare spec.mongo of the Persona, or the credential {CREDENTIAL} of the Bot."
    )
