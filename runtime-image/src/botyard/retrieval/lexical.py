"""Ranks passages by the words that they share with a question: BM25, as SQLite's full-text search computes it.

SQLite is part of Python: no model, no network and no further package is needed, and equal questions get equal answers.
"""

import threading
from collections.abc import Sequence

from botyard.retrieval.errors import RetrievalError
from botyard.retrieval.passages import Passage

MAX_QUERY_WORDS = 200
_HEADING_WEIGHT = 2.0
# Marks (M*) belong to words: many scripts write vowels with them. The stemmer is for English and leaves other
# scripts alone.
_TOKENS = "porter unicode61 remove_diacritics 2 categories 'L* N* Co M*'"


class LexicalIndex:
    """An index of passages in memory. May be used by many threads."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        """Build it.

        Raises:
            RetrievalError: This Python's SQLite has no full-text search.
        """
        # On demand: a bot that asks no documents need not hold it.
        import sqlite3

        self._passages = passages
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        try:
            self._db.execute(
                f'CREATE VIRTUAL TABLE passages USING fts5(heading, body, content="", tokenize="{_TOKENS}")'
            )
        except sqlite3.OperationalError as error:
            raise RetrievalError(f"This Python's SQLite has no full-text search (FTS5): {error}") from error
        rows = ((number, passage.heading, passage.text) for number, passage in enumerate(passages))
        self._db.executemany("INSERT INTO passages (rowid, heading, body) VALUES (?, ?, ?)", rows)

    def search(self, question: str, count: int) -> list[tuple[Passage, float]]:
        """Return the best passages with their scores (higher is better), best first.

        Only passages that share a word with the question are returned. Equal scores keep the documents' order.
        """
        words = dict.fromkeys(question.replace('"', " ").replace("\0", " ").split()[:MAX_QUERY_WORDS])
        if not words:
            return []
        # Quoted, so that no character of a question is an operator of the query language.
        query = " OR ".join(f'"{word}"' for word in words)
        with self._lock:
            rows = self._db.execute(
                "SELECT rowid, bm25(passages, ?, 1.0) AS rank FROM passages WHERE passages MATCH ? "
                "ORDER BY rank, rowid LIMIT ?",
                (_HEADING_WEIGHT, query, count),
            ).fetchall()
        return [(self._passages[number], -rank) for number, rank in rows]
