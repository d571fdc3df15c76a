"""Passages that were found: where they are from, and which ones an answer cites."""

import re

_MARK = re.compile(r"\[(\d+)\]")
EXCERPT = 160


def relevant(passages, share=0.5):
    """Return the passages that are at least half as good as the best one."""
    best = passages[0]["metadata"]["score"] if passages else 0.0
    return [passage for passage in passages if passage["metadata"]["score"] >= share * best]


def cited(answer, passages):
    """Return the passages that the answer cites as [1], [2], …, in the order of the passages."""
    numbers = {int(number) for number in _MARK.findall(answer)}
    return [(number, passage) for number, passage in enumerate(passages, start=1) if number in numbers]


def citations(sources):
    """Return what a client shows of cited passages."""
    return [
        {
            "sid": number,
            "title": passage["metadata"]["heading"],
            "source": passage["metadata"]["source"],
            "text": " ".join(passage["chunk"].split())[:EXCERPT],
        }
        for number, passage in sources
    ]


def topics(passages):
    """Return the documents of passages, cited or not, for people."""
    plain = [passage[1] if isinstance(passage, tuple) else passage for passage in passages]
    return ", ".join(dict.fromkeys(passage["metadata"]["source"] for passage in plain)) or "no document"


def numbered(passages):
    """Return passages as a model reads them."""
    return "\n\n".join(
        f"[{number}] {passage['metadata']['heading']} ({passage['metadata']['source']})\n{passage['chunk']}"
        for number, passage in enumerate(passages, start=1)
    )
