"""What a button of Telegram carries: at most 64 bytes, while a bot's options may have longer ids."""

import hashlib

MAX_BYTES = 64
LANGUAGE_PREFIX = "l:"
_OPTION_PREFIX = "o:"
_DIGEST_PREFIX = "d:"


def data_of(option_id: str) -> str:
    """Return what the button of an option carries: the id, or its digest where that is too long."""
    data = _OPTION_PREFIX + option_id
    if len(data.encode()) <= MAX_BYTES:
        return data
    return _DIGEST_PREFIX + hashlib.sha256(option_id.encode()).hexdigest()[:40]


def is_digest(data: str) -> bool:
    """Tell whether the option's id must be looked up."""
    return data.startswith(_DIGEST_PREFIX)


def option_of(data: str) -> str:
    """Return the id that a button carries."""
    return data.removeprefix(_OPTION_PREFIX)
