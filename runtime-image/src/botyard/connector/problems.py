"""What can be wrong with a source, each with what to do about it."""

import re
from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "Unreachable",
    "AccessDenied",
    "MissingPrivileges",
    "WalLevel",
    "TableMissing",
    "NoReplicaIdentity",
    "OldRowsUnknown",
    "PublicationForeign",
    "PublicationIncomplete",
    "SlotForeign",
    "SlotBusy",
    "SlotLost",
    "SlotFallsBehind",
    "TooManySlots",
    "RedisUnavailable",
    "InboxFull",
    "Unreadable",
    "Failed",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know.

    Attributes:
        reason: What kind it is, for alerts.
        message: What is wrong, with its name, and what to do. It holds no credentials.
    """

    reason: Reason
    message: str


class Problem(Exception):
    """Nothing can be read until somebody acts, or what is away comes back."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.notice = Notice(reason, message)


def of_connecting(error: Exception) -> Problem:
    """Return what a failed connection to PostgreSQL means."""
    text = _first_line(error)
    lowered = text.lower()
    if lowered.startswith("invalid "):
        # What libpq says of an address that it cannot read repeats parts of it.
        return malformed_address()
    if "wal_level" in lowered:
        return wal_level("lower")
    if "must be superuser or replication role" in lowered or "permission denied to start wal sender" in lowered:
        return Problem("MissingPrivileges", "the role may not replicate: ALTER ROLE … REPLICATION (or what your "
                       "provider has for it, such as GRANT rds_replication TO …)")  # fmt: skip
    if "max_wal_senders" in lowered or "too many connections" in lowered or "remaining connection slots" in lowered:
        return Problem("TooManySlots", f"PostgreSQL has no room for another connection: raise max_wal_senders or "
                       f"max_connections ({text})")  # fmt: skip
    if any(word in lowered for word in ("authentication failed", "pg_hba", "does not exist", "no password")):
        return Problem(
            "AccessDenied",
            f"PostgreSQL does not let us in: {text}. Look at the source's Secret and at pg_hba.conf",
        )
    return Problem("Unreachable", f"PostgreSQL cannot be reached: {text}")


def malformed_address() -> Problem:
    """Return what to do about an address that is none. It says nothing of the address: it holds a password."""
    return Problem(
        "AccessDenied",
        "the source's address is none of PostgreSQL; write special characters of the password as %XX",
    )


def wal_level(found: str) -> Problem:
    """Return what to do about a server that writes too little."""
    return Problem(
        "WalLevel",
        f"wal_level is {found}: set `wal_level = logical` (of a hosted database by its parameter group) and restart "
        "PostgreSQL",
    )


def slot_lost(slot: str, why: str) -> Problem:
    """Return what to do about a slot that is gone or cannot be read any more."""
    return Problem(
        "SlotLost",
        f"the replication slot {slot} {why}: changes since then are not known. Ask for a new slot by another value of "
        "the source's `renew`, with a snapshot by another value of its `snapshot`",
    )


def _first_line(error: Exception) -> str:
    """Return what an error says in one line, without what the address of the database may hold."""
    diagnosis = getattr(getattr(error, "diag", None), "message_primary", None)
    lines = [line.strip() for line in (diagnosis or str(error)).splitlines() if line.strip()]
    # Of several addresses the last one that was tried.
    text = (lines[-1] if lines else type(error).__name__).rstrip(".")
    return re.sub(r"password=\S+", "password=…", text)[:400]


def text_of(error: Exception) -> str:
    """Return what an error of PostgreSQL says in one line."""
    return _first_line(error)
