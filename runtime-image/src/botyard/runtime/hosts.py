"""What residents live in, as those see it who decide where they live."""

from collections.abc import Mapping
from typing import Any, Protocol


class Host(Protocol):
    """A worker that residents can live in."""

    @property
    def name(self) -> str:
        """Which worker."""

    @property
    def ready(self) -> bool:
        """Whether it has the bundle imported and has not ended."""

    async def tell(self, message: Mapping[str, Any]) -> None:
        """Send it a frame; a broken connection is its own affair."""
