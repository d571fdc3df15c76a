"""The supervisor's side of retrieval, for the specifications."""

from collections.abc import Mapping, Sequence
from typing import Any

from botyard.models.scripted import embedding


class Library:
    """Uploaded documents and kept embeddings, and a model that embeds by words."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, str]] = {}
        self.versions: dict[str, int] = {}
        self.kept: dict[str, dict[str, bytes]] = {}
        self.embedded: list[list[str]] = []
        self.roles: set[str] = set()
        self.model_name = "words-1"
        self.page = 2

    def upload(self, collection: str, name: str, text: str) -> None:
        self.documents.setdefault(collection, {})[name] = text
        self.versions[collection] = max(self.versions.values(), default=0) + 1

    async def collections(self) -> dict[str, int]:
        return dict(self.versions)

    async def read_documents(self, collection: str, *, after: str = "") -> dict[str, Any]:
        names = sorted(name for name in self.documents.get(collection, {}) if name > after)
        page = {name: self.documents[collection][name] for name in names[: self.page]}
        return {"version": self.versions.get(collection, 0), "documents": page, "more": len(names) > self.page}

    async def read_vectors(self, space: str, names: Sequence[str]) -> dict[str, bytes]:
        return {name: self.kept[space][name] for name in names if name in self.kept.get(space, {})}

    async def keep_vectors(self, space: str, vectors: Mapping[str, bytes]) -> None:
        self.kept.setdefault(space, {}).update(vectors)

    async def model(self, kind: str, body: dict[str, Any], role: str, on_event: Any) -> dict[str, Any]:
        assert kind == "embeddings"
        self.roles.add(role)
        self.embedded.append(list(body["input"]))
        data = [{"index": n, "embedding": embedding(text, 64)} for n, text in enumerate(body["input"])]
        return {"object": "list", "data": data, "model": self.model_name}
