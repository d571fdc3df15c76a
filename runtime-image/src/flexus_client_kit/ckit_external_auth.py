"""Who speaks in a thread, for accounts of their own."""

from botyard.loop.context import RobotContext

__all__ = ["get_fuser_id_from_rcx"]


def get_fuser_id_from_rcx(rcx: RobotContext, ft_id: str) -> str:
    """Return the user who began a thread; the Persona's owner where nobody did."""
    known = rcx.latest_threads.get(ft_id)
    return (known.thread_fields.owner_fuser_id if known else "") or rcx.persona.owner_fuser_id
