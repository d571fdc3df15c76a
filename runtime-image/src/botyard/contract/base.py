"""The shape that all documents of the contract share."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Document(BaseModel):
    """A JSON document with camelCase keys.

    Readers ignore keys that they do not know, so that a newer operator may add fields while older pods still run.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    def to_json(self) -> str:
        """Return the canonical text: sorted by declaration, defaults left out, stable for equal content."""
        return self.model_dump_json(by_alias=True, exclude_defaults=True)
