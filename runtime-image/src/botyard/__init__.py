"""Botyard: bots on Kubernetes, declared as resources."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botyard.steps import blocking_step, idempotence_key, step

__version__ = "0.1.0"

__all__ = ["__version__", "blocking_step", "idempotence_key", "step"]


def __getattr__(name: str) -> Any:
    # On demand: a command that takes no steps starts in a third of the time without asyncio.
    if name in __all__:
        from botyard import steps

        return getattr(steps, name)
    raise AttributeError(f"module 'botyard' has no attribute {name!r}")
