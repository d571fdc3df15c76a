"""The personal MongoDB of a Persona: where it is."""

import os

from botyard.loop.context import current
from botyard.loop.errors import PlatformError

NOWHERE = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=500&connectTimeoutMS=500"
"""Address for a bot that a scenario runs without a database: its loop begins, and what uses the database fails."""
CREDENTIAL = "MONGODB_URI"
"""Credential of the Bot that holds for Personas without a database of their own."""


class NoDatabase(PlatformError, RuntimeError):
    """The Persona has no MongoDB; the message says how to give it one, and a model may read it."""


def address_of(persona: str) -> str:
    """Return the address of a Persona's MongoDB: its own (`spec.mongo`), else the Bot's credential `MONGODB_URI`.

    Raises:
        NoDatabase: It has none (and no scenario runs the bot), or the code runs for another Persona; the message says
            what to do.
    """
    own = otherwise = ""
    try:
        rcx = current()
    except RuntimeError:
        rcx = None
    if rcx is not None:
        if persona not in ("", rcx.persona.persona_id):
            raise NoDatabase(f"a bot has the database of its own Persona, not that of {persona}")
        own = rcx.mongo_uri
        otherwise = NOWHERE if rcx.running_test_scenario else ""
    if address := own or os.environ.get(CREDENTIAL) or otherwise:
        return address
    raise NoDatabase(
        f"This Persona has no MongoDB: declare spec.mongo of the Persona, or the credential {CREDENTIAL} of the Bot."
    )
