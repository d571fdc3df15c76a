"""Whose a thread of a loop bot is."""

from botyard.core.records import Selection
from botyard.gateway.access import Admission
from botyard.gateway.problems import Problem
from botyard.loop import keys
from botyard.loop.persona_turns import THREAD


async def owner_of(admission: Admission, key: str) -> str | None:
    """Return the user whose thread it is, "" where it is everybody's, or None where there is none.

    What bots begin is everybody's, but for the subchats of a user's thread: the Persona's record says so. Until there
    is one, nobody may read the thread.
    """
    owner = await admission.gateway.conversations.owner(admission.bot, key)
    if owner != "":
        return owner
    persona, thread = keys.parse(key)
    name = f"{THREAD}{thread}"
    selection = Selection(names=(name,))
    found = await admission.gateway.records.read(admission.bot, keys.persona_key(persona), selection)
    return str(found[name].get("owner_fuser_id") or "") if name in found else None


def check_name(key: str, owner: str | None) -> None:
    """Refuse threads that only the Persona begins.

    Args:
        key: Of the thread.
        owner: Whose it is; see `owner_of`.

    Raises:
        Problem: `unknown-conversation`.
    """
    if owner is None and keys.is_the_persona_s(keys.parse(key)[1]):
        raise Problem("unknown-conversation", "There is no such thread.")
