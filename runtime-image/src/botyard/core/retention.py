"""How long and how much is kept in Redis."""

from dataclasses import dataclass

DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Retention:
    """Bounds of what a bot leaves in Redis."""

    conversation: int = 30 * DAY
    """Seconds after its last turn that a conversation, its state and its outputs live."""
    persona: int = 3650 * DAY
    """The same for a persona itself (a key with a leading colon): its board outlives a quiet month."""
    outputs: int = 2000
    """Outputs kept for replay in one conversation, at least."""
    history: int = 10_000
    """Finished turns listed in one conversation, at least."""
    duplicates: int = DAY
    """Seconds in which a client-supplied event id is recognised again."""
    resends: int = 120
    """Seconds in which an acceptance that is sent again because its answer was lost is recognised."""
    references: int = DAY
    """Seconds that a callback reference is valid."""
    forkable: int = 20
    """Newest states of a conversation that are kept for forks, at most."""
    forkable_bytes: int = 512 * 1024
    """Bytes that these may take together in one conversation; the newest one is kept in any case."""

    def of(self, key: str) -> int:
        """Return the seconds after its last turn that `key` and what belongs to it live."""
        return self.persona if key.startswith(":") else self.conversation

    def versions(self, size: int) -> int:
        """Return how many states of `size` bytes are kept for forks."""
        return max(1, min(self.forkable, self.forkable_bytes // max(1, size)))
