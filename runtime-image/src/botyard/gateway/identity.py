"""Who calls, and what the call is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Verb = Literal["use", "actas", "operate"]
"""`use`: talk to a bot. `actas`: on behalf of other users, and see their conversations and all event types.
`operate`: keep it going: cancel turns of anybody, requeue and drop dead letters."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What a static token allows; `*` stands for any namespace or bot."""

    namespace: str
    bots: Sequence[str] = ("*",)
    verbs: Sequence[str] = ("use",)

    def covers(self, namespace: str, bot: str, verb: str) -> bool:
        """Tell whether the verb is allowed on the bot; an empty `bot` means all bots of the namespace."""
        return (
            self.namespace in ("*", namespace)
            and ("*" in self.bots or bool(bot and bot in self.bots))
            and ("*" in self.verbs or verb in self.verbs)
        )


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller."""

    subject: str
    """The name under which conversations are kept."""
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)
    permissions: tuple[Permission, ...] | None = None
    """Set for static tokens: they carry their permissions; None: somebody else must be asked."""
    anonymous: bool = False
    """Nobody was asked to prove anything (`--auth none`)."""
