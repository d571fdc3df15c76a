"""Ranks passages by meaning: how near their embeddings are to the question's."""

import heapq
import math
from array import array
from collections.abc import Sequence
from operator import mul
from typing import TypeAlias

from botyard.retrieval.passages import Passage

Vector: TypeAlias = "array[float]"


def packed(values: Sequence[float]) -> bytes:
    """Return an embedding as it is kept: 32-bit floats of length 1."""
    length = math.sqrt(math.fsum(value * value for value in values)) or 1.0
    return array("f", (value / length for value in values)).tobytes()


def unpacked(data: bytes) -> Vector:
    """Return an embedding that `packed` wrote."""
    values: Vector = array("f")
    values.frombytes(data)
    return values


def nearest(
    question: Vector, passages: Sequence[Passage], vectors: Sequence[Vector], count: int
) -> list[tuple[Passage, float]]:
    """Return the passages nearest to a question with their cosine similarity, nearest first.

    Args:
        question: Its embedding, of length 1.
        passages: What may answer.
        vectors: Their embeddings, of length 1, in the same order.
        count: How many at most.
    """
    scores = (sum(map(mul, question, vector)) for vector in vectors)
    best = heapq.nlargest(count, enumerate(scores), key=lambda found: (found[1], -found[0]))
    return [(passages[number], score) for number, score in best]
