"""Describes an exception of a bundle for its user and for the log."""

import inspect
import traceback
from pathlib import Path

from botyard.program import TurnError

MAX_MESSAGE = 2_000


def describe(error: BaseException, bundle: Path, bot: type | None = None) -> TurnError:
    """Return the error of a turn.

    Args:
        error: What was raised.
        bundle: The bundle's folder; the innermost frame inside it is where the error is said to be.
        bot: Whose declaration is named where no frame is in the bundle.
    """
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_absolute() and path.is_relative_to(bundle):
            where = f"{path.relative_to(bundle)}:{frame.lineno} in {frame.name}"
    if not where and bot is not None:
        where = _declared(bot, bundle)
    try:
        message = str(error)
    except Exception:
        message = ""
    return TurnError(
        kind=type(error).__name__, message=_bounded(message or type(error).__name__, MAX_MESSAGE), where=where
    )


def _bounded(text: str, limit: int) -> str:
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _declared(bot: type, bundle: Path) -> str:
    try:
        path = Path(inspect.getfile(bot))
        line = inspect.getsourcelines(bot)[1]
    except (OSError, TypeError):
        return ""
    name = path.relative_to(bundle) if path.is_relative_to(bundle) else path.name
    return f"{name}:{line} in {bot.__qualname__}"
