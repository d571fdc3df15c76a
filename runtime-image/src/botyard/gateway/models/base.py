"""What all bodies of the HTTP API share: how strict they are, and the identifiers in them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

ConversationId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_+~@-][A-Za-z0-9_+~@:.=-]{0,127}$", max_length=128)
]
"""A conversation's identifier: opaque to clients; safe in paths, headers and Redis keys."""


UserName = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]


MessageId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


DnsLabel = Annotated[str, StringConstraints(max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]


class Body(BaseModel):
    """What a client sends: unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """What the gateway answers; clients must ignore fields that they do not know."""

    model_config = ConfigDict(frozen=True)
