"""What can go wrong in the runtime core, by name."""


class CoreError(Exception):
    """Base of the errors of this package."""


class Overloaded(CoreError):
    """The bot's inbox is full; nothing was accepted.

    Attributes:
        pending: Events that wait in the partition.
        retry_after: Seconds after which trying again makes sense.
    """

    def __init__(self, pending: int, retry_after: float) -> None:
        super().__init__(f"{pending} events are waiting already; try again in {retry_after:g} s")
        self.pending = pending
        self.retry_after = retry_after


class NotOwner(CoreError):
    """The conversation belongs to another user."""


class FilesFull(CoreError):
    """The files of a bot take all the room that they may; nothing was kept.

    Attributes:
        limit: Bytes that they may take together.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"the bot's files take the {limit} bytes that they may")
        self.limit = limit


class Expired(CoreError):
    """Outputs after the given position are no longer kept.

    Attributes:
        first: Number of the oldest output that is kept.
    """

    def __init__(self, first: int) -> None:
        super().__init__(f"outputs before number {first} are no longer kept")
        self.first = first


class KnowledgeFull(CoreError):
    """There is no room for a document; the message says which limit it meets."""


class StaleOwner(CoreError):
    """Another replica owns the partition now; this one must drop what it was doing there."""


class StillParked(CoreError):
    """The event was put aside and is not to be run yet.

    Attributes:
        seconds: Until it goes on by itself; None: when it is told.
    """

    def __init__(self, seconds: float | None) -> None:
        super().__init__("the turn was put aside")
        self.seconds = seconds


class AlreadyCommitted(CoreError):
    """The event was committed before; nothing was written again."""


class JournalMismatch(CoreError):
    """A re-run of a turn asked for another step than its first run did at the same place."""
