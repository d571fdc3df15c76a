"""The knowledge base: documents that a bot is given while it runs, found by words and by meaning."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from botyard.model import ModelCallError
from botyard.retrieval.passages import Passage, cut
from botyard.workflow.database.connection import Database, vector
from botyard.workflow.database.schema import ANY_WORD

Embed = Callable[[list[str]], Awaitable[list[list[float]]]]

DEFAULT_COLLECTION = "default"
MAX_DOCUMENT = 16 * 1024 * 1024
"""Characters of one document."""
_EMBEDDED_AT_ONCE = 64
_POOL = 50
_RANK_CONSTANT = 60
"""Of reciprocal rank fusion, as its authors propose."""
_INSERT = """INSERT INTO botyard_workflow.passages
    (scope, collection, document, number, title, uri, heading, text, metadata, embedding)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10::vector)"""
_DELETE = "DELETE FROM botyard_workflow.passages WHERE scope = $1 AND collection = $2 AND document = $3"
_COLUMNS = "document, number, title, uri, heading, text, metadata"


class KBClient:
    """The documents of one bot."""

    def __init__(self, database: Database, embed: Embed | None = None) -> None:
        """Prepare.

        Args:
            database: Where they are kept.
            embed: Makes vectors; None, or a Bot without a model: documents are found by words alone.
        """
        self._database = database
        self._embed = embed

    async def add_document(
        self,
        document_id: str,
        text: str,
        *,
        title: str = "",
        uri: str | None = None,
        collection: str = DEFAULT_COLLECTION,
        metadata: Mapping[str, Any] | None = None,
        markdown: bool = True,
    ) -> int:
        """Keep a document, in place of the one with the same id; return how many passages it has.

        Args:
            document_id: Its id in the collection.
            text: Its text.
            title: For people.
            uri: Where people find it.
            collection: To which it belongs.
            metadata: What else to return with its passages.
            markdown: Lines with `#` are headings.

        Raises:
            DatabaseError: It cannot be kept.
            ValueError: It is too long.
            botyard.model.ModelCallError: The model for embeddings was refused or failed.
        """
        if len(text) > MAX_DOCUMENT:
            raise ValueError(f"document {document_id!r} has {len(text)} characters; {MAX_DOCUMENT} are allowed")
        passages = cut(text.replace("\0", ""), document_id, markdown=markdown)
        vectors = await self._vectors([_readable(passage) for passage in passages])
        where = (self._database.scope, collection, document_id)
        told = None if metadata is None else json.dumps(metadata)
        rows: list[tuple[str, Sequence[Any]]] = [(_DELETE, where)]
        rows += [
            (
                _INSERT,
                (*where, passage.number, title or document_id, uri, passage.heading, passage.text, told, each),
            )
            for passage, each in zip(passages, vectors, strict=True)
        ]
        await self._database.write(rows)
        return len(passages)

    async def search(
        self, query: str, *, top_k: int = 5, collection: str | None = None, by_meaning: bool = True
    ) -> list[dict[str, Any]]:
        """Return the passages that answer a query best, best first, each with its `score` (higher is better).

        Args:
            query: Words; nothing in them is an operator.
            top_k: How many at most.
            collection: Of this one alone.
            by_meaning: Also by meaning, where documents have vectors.

        Raises:
            DatabaseError: It cannot be asked.
            botyard.model.ModelCallError: The model for embeddings was refused or failed.
        """
        scope = self._database.scope
        words = ANY_WORD.format("$4")
        rankings = [
            await self._database.fetch(
                f"SELECT {_COLUMNS} FROM botyard_workflow.passages "  # noqa: S608 - constants
                f"WHERE scope = $1 AND ($2::text IS NULL OR collection = $2) AND words @@ {words} "
                f"ORDER BY ts_rank(words, {words}) DESC, document, number LIMIT $3",
                scope,
                collection,
                _POOL,
                query,
            )
        ]
        asked = (await self._vectors([query]))[0] if by_meaning and query.strip() else None
        if asked is not None:
            rankings.append(
                await self._database.fetch(
                    f"SELECT {_COLUMNS} FROM botyard_workflow.passages "  # noqa: S608 - constants
                    "WHERE scope = $1 AND ($2::text IS NULL OR collection = $2) AND embedding IS NOT NULL "
                    "AND vector_dims(embedding) = vector_dims($4::vector) "
                    "ORDER BY embedding <=> $4::vector, document, number LIMIT $3",
                    scope,
                    collection,
                    _POOL,
                    asked,
                )
            )
        return _fused(rankings)[:top_k]

    async def delete_document(self, document_id: str, *, collection: str = DEFAULT_COLLECTION) -> None:
        """Forget a document.

        Raises:
            DatabaseError: It cannot be done.
        """
        await self._database.write([(_DELETE, (self._database.scope, collection, document_id))])

    async def documents(self, *, collection: str | None = None) -> list[dict[str, Any]]:
        """Return {collection, document, title, uri, passages} of all documents.

        Raises:
            DatabaseError: It cannot be asked.
        """
        return await self._database.fetch(
            "SELECT collection, document, min(title) AS title, min(uri) AS uri, count(*) AS passages "
            "FROM botyard_workflow.passages WHERE scope = $1 AND ($2::text IS NULL OR collection = $2) "
            "GROUP BY collection, document ORDER BY collection, document",
            self._database.scope,
            collection,
        )

    async def _vectors(self, texts: list[str]) -> list[str | None]:
        """Return vectors as the database reads them; none where there is no model for them."""
        if self._embed is None or not texts:
            return [None] * len(texts)
        found: list[str | None] = []
        try:
            for start in range(0, len(texts), _EMBEDDED_AT_ONCE):
                found += [vector(each) for each in await self._embed(texts[start : start + _EMBEDDED_AT_ONCE])]
        except ModelCallError as error:
            if error.code != "no_model":
                raise
            return [None] * len(texts)
        return found


def _readable(passage: Passage) -> str:
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


def _fused(rankings: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return one ranking of several, by reciprocal ranks: their scores cannot be compared."""
    scores: dict[tuple[str, int], float] = {}
    rows: dict[tuple[str, int], Mapping[str, Any]] = {}
    for ranking in rankings:
        for rank, row in enumerate(ranking, start=1):
            key = (row["document"], row["number"])
            rows[key] = row
            scores[key] = scores.get(key, 0.0) + 1.0 / (_RANK_CONSTANT + rank)
    best = sorted(scores.items(), key=lambda each: (-each[1], each[0]))
    return [{**rows[key], "metadata": _object(rows[key]["metadata"]), "score": score} for key, score in best]


def _object(metadata: Any) -> Any:
    return json.loads(metadata) if isinstance(metadata, str) else metadata
