"""What the connector reads: sources, from one YAML file, with the address of each database in a file of its own."""

import re
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

_NAME = r"^[a-z][a-z0-9-]{0,39}$"
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?")
MAX_TABLES = 500


class Source(BaseModel):
    """One database whose rows the Personas of one namespace hear of."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_NAME, description="Names its slot and its publication.")
    namespace: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", description="Whose Personas hear of it.")
    tables: tuple[str, ...] = Field(min_length=1, max_length=MAX_TABLES, description="`table` or `schema.table`.")
    publication: str = Field(
        default="", max_length=63, description="One that somebody else made and keeps; empty: the connector's own."
    )
    snapshot: str = Field(
        default="", max_length=63, description="Another value than before: send every row of the tables once, now."
    )
    renew: str = Field(default="", max_length=63, description="Another value than before: replace a lost slot.")
    adopt: bool = Field(default=False, description="Take a slot of our name that this installation did not make.")
    failover: bool = Field(default=False, description="Have standbys keep the slot (PostgreSQL 17).")

    @field_validator("tables")
    @classmethod
    def _tables_are_names(cls, tables: tuple[str, ...]) -> tuple[str, ...]:
        for table in tables:
            if not _TABLE.fullmatch(table):
                raise ValueError(f"{table!r} is no name of a table: write table or schema.table")
        return tables

    @model_validator(mode="after")
    def _names_differ(self) -> "Source":
        named: dict[str, str] = {}
        for schema, table in self.places():
            if table in named and named[table] != schema:
                raise ValueError(f"{table} stands there of two schemas: subscriptions could not tell them apart")
            named[table] = schema
        return self

    def places(self) -> tuple[tuple[str, str], ...]:
        """Return (schema, table) of each table."""
        found = []
        for table in dict.fromkeys(self.tables):
            schema, _, name = table.rpartition(".")
            found.append((schema or "public", name))
        return tuple(dict.fromkeys(found))

    @property
    def slot(self) -> str:
        """The name of its replication slot."""
        return "botyard_" + f"{self.namespace}_{self.name}".replace("-", "_")[:55]

    @property
    def own_publication(self) -> str:
        """The name of the publication that the connector makes."""
        return self.slot


class Sources(BaseModel):
    """All sources of an installation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[Source, ...] = Field(max_length=50)

    @model_validator(mode="after")
    def _slots_differ(self) -> "Sources":
        slots = [source.slot for source in self.sources]
        for slot in slots:
            if slots.count(slot) > 1:
                raise ValueError(f"two sources would have the slot {slot}: give one another name")
        return self


def load(file: Path) -> Sources:
    """Return the sources that a file declares.

    Raises:
        ValueError: It cannot be read; the message says what is wrong.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from None
    try:
        return Sources.model_validate(content)
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"]))
        raise ValueError(f"{file}: {where}: {found['msg'].removeprefix('Value error, ')}") from None


def address(folder: Path, source: Source) -> str:
    """Return the address of a source's database, from the file `<folder>/<name>`; read anew for each connection.

    Raises:
        ValueError: There is none.
    """
    file = folder / source.name
    try:
        text = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"the address of the database cannot be read: {error.strerror} ({file.name})") from None
    if not text.startswith(("postgresql://", "postgres://")) and "=" not in text:
        raise ValueError(f"{file.name} holds no address: write postgresql://user:password@host:5432/database")
    return text
