"""Answers questions from a bot's documents, those of its bundle and uploaded ones, by words and by meaning."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from botyard.program import TurnIO
from botyard.retrieval.errors import RetrievalError
from botyard.retrieval.knowledge import DEFAULT, FOLDER, MAX_BYTES, Knowledge
from botyard.retrieval.lexical import LexicalIndex
from botyard.retrieval.passages import Passage, cut
from botyard.retrieval.settings import Embeddings, RetrievalSettings
from botyard.retrieval.vectors import Vector, nearest, packed, unpacked

MAX_PASSAGES = 50
"""In one answer."""
MAX_EMBEDDED = 5_000
"""Passages of a collection that is ranked by meaning."""
MAX_KEPT = 8
"""Indexes in a worker's memory; the one that was not asked for the longest gives way."""
_EMBEDDED_AT_ONCE = 64
_READ_AT_ONCE = 1_000
_POOL = 50
"""Passages of each ranking that are put together."""
_RANK_CONSTANT = 60
"""Of reciprocal rank fusion, as its authors propose."""


@dataclass(slots=True)
class _Index:
    """One collection, ready to be asked."""

    passages: list[Passage]
    words: LexicalIndex
    vectors: dict[str, list[Vector]] = field(default_factory=dict)
    """By space, in the order of the passages."""


class Retrieval:
    """The documents of one bot in one worker."""

    def __init__(self, bundle: Path, config: Mapping[str, Any] | None = None) -> None:
        """Prepare; documents are read when they are asked.

        Args:
            bundle: The bundle's folder.
            config: The Bot's config; `retrieval` in it is read (see `RetrievalSettings`).

        Raises:
            ValueError: `retrieval` is not what it may be.
        """
        self._knowledge = Knowledge(bundle)
        self._settings = RetrievalSettings.of(config or {})
        self._indexes: OrderedDict[tuple[str, int], _Index] = OrderedDict()
        self._building = asyncio.Lock()

    async def collections(self, io: TurnIO) -> list[str]:
        """Return the names of all collections; none where the bot has no documents at all."""
        return sorted({*self._knowledge.collections(), *await io.collections()})

    async def ask(
        self, io: TurnIO, question: str, collection: str = "", count: int = 5, *, hybrid: bool = False
    ) -> list[dict[str, Any]]:
        """Return the passages that answer a question best, best first.

        Args:
            io: Of the turn that asks.
            question: Words; nothing in them is an operator.
            collection: Its name; empty for DEFAULT, or all documents where there is no such collection.
            count: How many at most; at least 1 and at most MAX_PASSAGES are taken.
            hybrid: Rank by words and by meaning, where embeddings are configured; else by meaning alone there.

        Returns:
            `{"chunk": text, "metadata": {"source", "heading", "collection", "number", "score"}}` each.

        Raises:
            RetrievalError: There is no such collection, or its documents cannot be indexed.
            botyard.model.ModelCallError: The model for embeddings was refused or failed.
        """
        uploaded = await io.collections()
        known = sorted({*self._knowledge.collections(), *uploaded})
        check(collection, known)
        name = collection or (DEFAULT if DEFAULT in known else "")
        index = await self._index(io, name, {each: v for each, v in uploaded.items() if name in ("", each)})
        count = max(1, min(count, MAX_PASSAGES))
        embeddings = self._settings.embeddings
        if embeddings is None or not question.strip() or not index.passages:
            found = await asyncio.to_thread(index.words.search, question, count)
        else:
            found = await self._by_meaning(io, embeddings, index, question, count, hybrid=hybrid)
        return [_answer(passage, name, score) for passage, score in found]

    async def _by_meaning(
        self, io: TurnIO, embeddings: Embeddings, index: _Index, question: str, count: int, *, hybrid: bool
    ) -> list[tuple[Passage, float]]:
        if len(index.passages) > MAX_EMBEDDED:
            raise RetrievalError(
                f"The collection has {len(index.passages)} passages; {MAX_EMBEDDED} can be ranked by meaning: divide "
                "it into several collections, or leave `retrieval.embeddings` out of the Bot's config."
            )
        (asked,), space = await _embed(io, embeddings, [question])
        vectors = index.vectors.get(space)
        if vectors is None:
            vectors = index.vectors[space] = await _vectors(io, embeddings, space, index.passages)
        pool = max(count, _POOL)
        near = await asyncio.to_thread(nearest, unpacked(packed(asked)), index.passages, vectors, pool)
        if hybrid:
            near = _fused(await asyncio.to_thread(index.words.search, question, pool), near)
        return near[:count]

    async def _index(self, io: TurnIO, name: str, uploaded: Mapping[str, int]) -> _Index:
        key = (name, max(uploaded.values(), default=0))
        async with self._building:
            index = self._indexes.get(key)
            if index is None:
                documents = [document for each in sorted(uploaded) for document in await _read(io, each)]
                index = await asyncio.to_thread(self._build, name, documents)
                self._indexes[key] = index
                for old in [each for each in self._indexes if each[0] == name and each != key]:
                    del self._indexes[old]
            self._indexes.move_to_end(key)
            while len(self._indexes) > MAX_KEPT:
                self._indexes.popitem(last=False)
        return index

    def _build(self, name: str, documents: Sequence[tuple[str, str]]) -> _Index:
        replaced = {source for source, _ in documents}
        passages = [each for each in self._knowledge.passages(name) if each.source not in replaced]
        for source, text in documents:
            passages += cut(text, source, markdown=not source.lower().endswith(".txt"))
        return _Index(passages, LexicalIndex(passages))


def check(collection: str, known: Collection[str]) -> None:
    """Make sure that a collection can be asked.

    Args:
        collection: Its name; empty for the default.
        known: The names of all.

    Raises:
        RetrievalError: There is none of that name.
    """
    if collection and collection not in known:
        listed = ", ".join(known) or "none"
        raise RetrievalError(
            f"There is no collection {collection!r} (there are: {listed}): put its documents into "
            f"{FOLDER}/{collection}/ of the bundle, as .md or .txt files, or upload them."
        )


async def _read(io: TurnIO, collection: str) -> list[tuple[str, str]]:
    """Return a collection's uploaded documents."""
    found: list[tuple[str, str]] = []
    after, size, more = "", 0, True
    while more:
        page = await io.read_documents(collection, after=after)
        more = bool(page["more"]) and bool(page["documents"])
        for name, text in page["documents"].items():
            after = name
            size += len(text)
            if size > MAX_BYTES:
                raise RetrievalError(f"The documents of collection {collection!r} have more than {MAX_BYTES} bytes.")
            found.append((name, text))
    return found


async def _embed(io: TurnIO, embeddings: Embeddings, texts: Sequence[str]) -> tuple[list[list[float]], str]:
    """Return the embeddings of texts, and their space: vectors of different spaces cannot be compared."""
    answer = await io.model("embeddings", {"input": list(texts)}, embeddings.role, None)
    found = [list(map(float, item["embedding"])) for item in answer["data"]]
    space = f"{embeddings.role}/{answer.get('model', '')}/{len(found[0])}"
    return found, _digest(space)


async def _vectors(io: TurnIO, embeddings: Embeddings, space: str, passages: Sequence[Passage]) -> list[Vector]:
    """Return the passages' embeddings: those that are kept, and new ones for the others, which are kept too."""
    texts = {_digest(_text(passage)): _text(passage) for passage in passages}
    names = list(texts)
    kept: dict[str, bytes] = {}
    for start in range(0, len(names), _READ_AT_ONCE):
        kept |= await io.read_vectors(space, names[start : start + _READ_AT_ONCE])
    missing = [name for name in names if name not in kept]
    for start in range(0, len(missing), _EMBEDDED_AT_ONCE):
        batch = missing[start : start + _EMBEDDED_AT_ONCE]
        found, its_space = await _embed(io, embeddings, [texts[name] for name in batch])
        if its_space != space:
            raise RetrievalError("The model for embeddings changed while documents were embedded: ask again.")
        made = {name: packed(values) for name, values in zip(batch, found, strict=True)}
        await io.keep_vectors(space, made)
        kept |= made
    return [unpacked(kept[_digest(_text(passage))]) for passage in passages]


def _text(passage: Passage) -> str:
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


def _fused(*rankings: Sequence[tuple[Passage, float]]) -> list[tuple[Passage, float]]:
    """Return one ranking of several, by reciprocal ranks: their scores cannot be compared."""
    scores: dict[tuple[str, int], float] = {}
    passages: dict[tuple[str, int], Passage] = {}
    for ranking in rankings:
        for rank, (passage, _) in enumerate(ranking, start=1):
            key = (passage.source, passage.number)
            passages[key] = passage
            scores[key] = scores.get(key, 0.0) + 1.0 / (_RANK_CONSTANT + rank)
    return [(passages[key], score) for key, score in sorted(scores.items(), key=lambda each: (-each[1], each[0]))]


def _answer(passage: Passage, collection: str, score: float) -> dict[str, Any]:
    metadata = {
        "source": passage.source,
        "heading": passage.heading,
        "collection": collection,
        "number": passage.number,
        "score": float(f"{score:.4g}"),
    }
    return {"chunk": passage.text, "metadata": metadata}


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
