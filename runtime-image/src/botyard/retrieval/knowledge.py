"""The documents of a bundle: `knowledge/<collection>/**/*.md` and `*.txt`."""

import threading
from pathlib import Path
from typing import Any

from botyard.retrieval.errors import RetrievalError
from botyard.retrieval.lexical import LexicalIndex
from botyard.retrieval.passages import Passage, cut

FOLDER = "knowledge"
DEFAULT = "default"
"""Collection of the files that lie in FOLDER itself, and of questions that name none."""
SUFFIXES = (".md", ".markdown", ".txt")
MAX_BYTES = 64 * 1024 * 1024
"""Of all documents of one collection."""
MAX_PASSAGES = 50
"""In one answer."""


class Knowledge:
    """The collections of one bundle, indexed when they are asked for the first time."""

    def __init__(self, bundle: Path) -> None:
        self._folder = bundle / FOLDER
        self._indexes: dict[str, LexicalIndex] = {}
        self._lock = threading.Lock()

    def exists(self) -> bool:
        """Tell whether the bundle carries documents at all."""
        return self._folder.is_dir()

    def collections(self) -> list[str]:
        """Return the names of all collections."""
        if not self.exists():
            return []
        names = {path.name for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
        if any(path.is_file() and path.suffix.lower() in SUFFIXES for path in self._folder.iterdir()):
            names.add(DEFAULT)
        return sorted(names)

    def check(self, collection: str) -> None:
        """Make sure that a collection can be asked.

        Args:
            collection: Its name; empty for DEFAULT, or all documents where there is no such collection.

        Raises:
            RetrievalError: There is none of that name.
        """
        known = self.collections()
        if collection and collection not in known:
            listed = ", ".join(known) or "none"
            raise RetrievalError(
                f"There is no collection {collection!r} (there are: {listed}): put its documents into "
                f"{FOLDER}/{collection}/ of the bundle, as .md or .txt files."
            )

    def ask(self, question: str, collection: str = "", count: int = 5) -> list[dict[str, Any]]:
        """Return the passages that answer a question best, best first.

        Args:
            question: Words; nothing in them is an operator.
            collection: See `check`.
            count: How many at most; at least 1 and at most MAX_PASSAGES are taken.

        Returns:
            `{"chunk": text, "metadata": {"source", "heading", "collection", "number", "score"}}` each.

        Raises:
            RetrievalError: There is no such collection, or its documents cannot be indexed.
        """
        self.check(collection)
        name = collection or (DEFAULT if DEFAULT in self.collections() else "")
        found = self._index(name).search(question, max(1, min(count, MAX_PASSAGES)))
        return [_answer(passage, name, score) for passage, score in found]

    def _index(self, name: str) -> LexicalIndex:
        with self._lock:
            index = self._indexes.get(name)
            if index is None:
                index = self._indexes[name] = LexicalIndex(self._passages(name))
            return index

    def _passages(self, name: str) -> list[Passage]:
        passages: list[Passage] = []
        size = 0
        for path, source in self._documents(name):
            size += path.stat().st_size
            if size > MAX_BYTES:
                raise RetrievalError(f"The documents of collection {name!r} have more than {MAX_BYTES} bytes.")
            text = path.read_text(encoding="utf-8", errors="replace")
            passages += cut(text, source, markdown=path.suffix.lower() != ".txt")
        return passages

    def _documents(self, name: str) -> list[tuple[Path, str]]:
        folders = [self._folder / name] if name else [self._folder]
        loose = self._folder.glob("*") if name == DEFAULT else ()
        paths = {path for folder in folders for path in folder.rglob("*")} | set(loose)
        root = self._folder / name if name and name != DEFAULT else self._folder
        return [
            (path, str(path.relative_to(root)))
            for path in sorted(paths)
            if path.is_file() and path.suffix.lower() in SUFFIXES
        ]


def _answer(passage: Passage, collection: str, score: float) -> dict[str, Any]:
    metadata = {
        "source": passage.source,
        "heading": passage.heading,
        "collection": collection,
        "number": passage.number,
        "score": float(f"{score:.4g}"),
    }
    return {"chunk": passage.text, "metadata": metadata}
