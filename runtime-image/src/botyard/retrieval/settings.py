"""`retrieval` of a Bot's config."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError


class Embeddings(BaseModel):
    """How passages and questions become vectors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: str = ""
    """Of `spec.model.roles`: the model for embeddings; empty: the Bot's model."""


class RetrievalSettings(BaseModel):
    """How questions are answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    embeddings: Embeddings | None = None
    """None: by words alone."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "RetrievalSettings":
        """Return what a Bot's config says.

        Raises:
            ValueError: It says something else than this.
        """
        try:
            return cls.model_validate(config.get("retrieval") or {})
        except ValidationError as error:
            item = error.errors(include_url=False)[0]
            where = ".".join(("retrieval", *map(str, item["loc"])))
            raise ValueError(f"The Bot's config: {where}: {item['msg']}") from None
