"""A PostgreSQL database that an expert asks; see `botyard.loop.integrations.postgres`."""

from typing import Any

from botyard.loop.integrations.postgres import SETUP, TOOL, WRITES, Postgres

__all__ = ["POSTGRES_SETUP_SCHEMA", "POSTGRES_TOOL", "IntegrationPostgres"]

POSTGRES_TOOL = TOOL
POSTGRES_SETUP_SCHEMA = SETUP


class IntegrationPostgres(Postgres):
    """The database of a bot: its address is the credential `POSTGRES_URI`, or given by name."""

    def __init__(self, *given: Any, address: str = "", writes: bool | None = None, **more: Any) -> None:
        """Prepare.

        Args:
            given: A client, a context, a setup: of these only the setup is used.
            address: In place of the credential.
            writes: Whether statements may change anything; None: what the setup says.
            more: Other options of the existing kit; not used.
        """
        del more
        setup = next((each for each in given if isinstance(each, dict)), {})
        writes = bool(setup.get(WRITES)) if writes is None else writes
        super().__init__(
            address or str(setup.get("POSTGRES_URI") or ""),
            writes=bool(setup.get(WRITES)) if writes is None else writes,
        )
