"""Identifiers that nobody can guess."""

import secrets


def new_event() -> str:
    """Return a new event id."""
    return f"evt_{secrets.token_urlsafe(15)}"


def new_turn() -> str:
    """Return a new turn id."""
    return f"turn_{secrets.token_urlsafe(15)}"


def new_conversation() -> str:
    """Return a new conversation id."""
    return f"conv_{secrets.token_urlsafe(15)}"


def new_file() -> str:
    """Return an id for a file; it cannot be guessed."""
    return "file_" + secrets.token_urlsafe(15)
