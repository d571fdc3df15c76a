"""Which events a client receives.

By default everything but the steps and accounts of a bot's inner life, unless the event itself says for whom it is, as
those of workflow bots do; a Bot opens more with `spec.events.allow`. Callers with the verb `actas` receive everything.
"""

from collections.abc import Collection

HIDDEN_TYPES = frozenset({"chat.step", "accounting.usage"})
HIDDEN_PREFIXES = ("chat.step.", "accounting.", "internal.", "debug.")


def visible(event_type: str, *, allow: Collection[str], privileged: bool, audience: str = "") -> bool:
    """Tell whether a client receives events of this type.

    Args:
        event_type: The envelope's type.
        allow: What the Bot allows beyond the default: types, and `chat.*` for all below `chat.`.
        privileged: The caller has the verb `actas`.
        audience: For whom the event says that it is: `everyone`, `privileged`, or nothing.
    """
    if privileged or event_type in allow or any(_below(event_type, pattern) for pattern in allow):
        return True
    if audience:
        return audience == "everyone"
    return event_type not in HIDDEN_TYPES and not event_type.startswith(HIDDEN_PREFIXES)


def _below(event_type: str, pattern: str) -> bool:
    return pattern.endswith(".*") and event_type.startswith(pattern[:-1])
