"""How a bot learns that its loop is to end."""

from botyard.loop.shutdown import current, shutdown_event, wait

__all__ = ["give_ws_client", "shutdown_event", "spiral_down_now", "take_away_ws_client", "wait"]


def spiral_down_now(*args: object, **kwargs: object) -> None:
    """Ask the asking loop to end."""
    current().set()


def give_ws_client(*args: object, **kwargs: object) -> None:
    """Do nothing: there is no connection of the bot's own to close at the end."""


def take_away_ws_client(*args: object, **kwargs: object) -> None:
    """Do nothing: there is no connection of the bot's own to close at the end."""
