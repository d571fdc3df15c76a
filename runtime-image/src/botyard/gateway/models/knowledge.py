"""Bodies of uploaded documents that bots answer from."""

from pydantic import Field

from botyard.gateway.models.base import Answer


class CollectionAnswer(Answer):
    """A collection of uploaded documents."""

    collection: str
    version: int = Field(description="Grows with each change.")


class CollectionList(Answer):
    """Collections by name."""

    collections: tuple[CollectionAnswer, ...]


class DocumentAnswer(Answer):
    """An uploaded document."""

    collection: str
    document: str
    size: int = Field(description="Bytes.")


class DocumentList(Answer):
    """Documents by name."""

    documents: tuple[DocumentAnswer, ...]
