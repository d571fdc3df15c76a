"""Answers: a model's where the bot has one, else the passages' own words."""

import re

from botyard.model import ModelCallError
from research.passages import numbered

ROLE = "researcher.answer"
PROMPT = (
    "Answer from the numbered passages alone, in a few sentences, and cite each one that you use, as in [1]. "
    "Where they do not tell, say so.\n\n"
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


async def written(bot, question, passages, history):
    """Stream an answer and return it."""
    messages = [
        {"role": "system", "content": PROMPT + numbered(passages)},
        *history[-6:],
        {"role": "user", "content": question},
    ]
    said = []
    try:
        async for piece in bot.models_service.stream(messages, role=ROLE):
            await bot.comm.delta(text=piece, index=len(said), marker="answer")
            said.append(piece)
    except ModelCallError as error:
        if error.code != "no_model":
            raise
        for piece in pieces(quoted(passages)):
            await bot.comm.delta(text=piece, index=len(said), marker="answer")
            said.append(piece)
    return "".join(said)


def quoted(passages):
    """Return the beginning of the two best passages, in their own words."""
    return " ".join(f"{beginning(passage['chunk'])} [{number}]" for number, passage in enumerate(passages[:2], start=1))


def beginning(text, sentences=2):
    """Return the first sentences of a text."""
    return " ".join(_SENTENCE.split(" ".join(text.split()))[:sentences])


def pieces(text, words=4):
    """Return a text in pieces of a few words, as a model would write it."""
    parts = re.findall(r"\S+\s*", text)
    return ["".join(parts[start : start + words]) for start in range(0, len(parts), words)]


def followups(passages, sources):
    """Suggest what was found and not cited: at most three."""
    used = {number for number, _ in sources}
    headings = [p["metadata"]["heading"].split(" > ")[-1] for n, p in enumerate(passages, start=1) if n not in used]
    return [f"Tell me about: {heading}." for heading in dict.fromkeys(headings)][:3]


def title(text):
    """Return the title of a conversation that begins with `text`."""
    words = text.split()
    return " ".join(words[:8]) + ("…" if len(words) > 8 else "")
