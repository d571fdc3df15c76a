"""Why a database does not do what a bot asks; a model may read the messages, which never hold credentials."""

from difflib import get_close_matches

import psycopg
from psycopg import errors as sqlstate


class StoreError(Exception):
    """It was not done.

    Attributes:
        code: Why, in one word: `NoDatabase`, `UnknownTable`, `UnknownColumn`, `NoKey`, `BadFilter`, `BadValue`,
            `NotFound`, `Exists`, `Conflict`, `Refused`, `NotAllowed`, `NoAudit`, `TooLarge` or `Unavailable`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def nearest(name: str, known: list[str]) -> str:
    """Return what to write instead of a name that there is not."""
    close = get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(sorted(known)[:20])}" if known else "there are none that this role may read"


_CODES: tuple[tuple[type[psycopg.Error], str], ...] = (
    (sqlstate.InsufficientPrivilege, "NotAllowed"),
    (sqlstate.UniqueViolation, "Exists"),
    (sqlstate.IntegrityConstraintViolation, "Refused"),
    (sqlstate.NotNullViolation, "Refused"),
    (sqlstate.ForeignKeyViolation, "Refused"),
    (sqlstate.CheckViolation, "Refused"),
    (sqlstate.ExclusionViolation, "Refused"),
    (sqlstate.RaiseException, "Refused"),
    (sqlstate.GeneratedAlways, "BadValue"),
    (sqlstate.ReadOnlySqlTransaction, "Unavailable"),
    (sqlstate.QueryCanceled, "Unavailable"),
    (sqlstate.LockNotAvailable, "Unavailable"),
)

AGAIN: tuple[type[psycopg.Error], ...] = (
    sqlstate.SerializationFailure,
    sqlstate.DeadlockDetected,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)
"""Errors after which the same may go well."""
NOT_AGAIN: tuple[type[psycopg.Error], ...] = (sqlstate.QueryCanceled, sqlstate.LockNotAvailable)
"""Of those, the ones that took their time already."""


def told(error: psycopg.Error) -> StoreError:
    """Return what to tell of an error of PostgreSQL."""
    said = error.diag.message_primary or str(error).strip().partition("\n")[0]
    for kind, code in _CODES:
        if isinstance(error, kind):
            return StoreError(code, _words(code, said))
    if isinstance(error, psycopg.DataError):
        return StoreError("BadValue", f"the database does not take this value: {said}")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return StoreError("Unavailable", f"the database cannot be reached: {said}")
    return StoreError("Refused", f"the database refuses: {said}")


def _words(code: str, said: str) -> str:
    if code == "NotAllowed":
        return f"the Persona's role may not do this: {said}"
    if code == "Unavailable":
        return f"the database did not do this in time: {said}"
    return f"the database refuses: {said}"
