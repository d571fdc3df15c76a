"""How a turn, or a worker, can end otherwise than by itself."""


class WorkerDied(Exception):
    """The worker that ran the turn ended before the turn did.

    Attributes:
        crashed: The worker ended by itself, so this turn, or one beside it, may be why.
    """

    def __init__(self, message: str, *, crashed: bool) -> None:
        super().__init__(message)
        self.crashed = crashed


class TurnTimeout(Exception):
    """The turn ran past its deadline; its worker was killed."""


class ResidentLeft(Exception):
    """The loop that a turn was for ended before it took the event; the turn is run again where it begins anew."""


class TurnCancelled(Exception):
    """Somebody asked for the turn to be cancelled."""


class LoadFailed(Exception):
    """The bundle cannot be imported.

    Attributes:
        where: Line of the bundle, when there is one.
    """

    def __init__(self, kind: str, message: str, where: str) -> None:
        super().__init__(f"{kind}: {message}" + (f" (at {where})" if where else ""))
        self.where = where
