"""Bodies of documents that loop bots share."""

from pydantic import Field

from botyard.gateway.models.base import Answer, Body


class PolicyDocumentRequest(Body):
    """A document to write."""

    path: str = Field(min_length=2, max_length=300, description="`/folder/name`.")
    content: str = Field(description="Its text, mostly JSON; at most 1 MiB.")
    expected: str = Field(default="", max_length=64, description="Digest of the version that it replaces; empty: any.")


class PolicyDocumentAnswer(Answer):
    """One version of a document."""

    path: str
    content: str
    version: int
    digest: str
    by: str
    at: float


class PolicyDocumentList(Answer):
    """Documents in the order of their paths."""

    paths: tuple[str, ...]
    last: str = Field(description="For `after` of the next page; empty at the end.")
