"""Judges what a bot's conversations said, from the outside: nothing lost, nothing twice, nothing out of order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """What is wrong, by kind; all empty means all is well."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.reordered or self.invented)


def judge(
    sent: Mapping[str, Sequence[str]], unknown: Mapping[str, set[str]], answered: Mapping[str, Sequence[str]]
) -> Verdict:
    """Compare what was sent with what was answered.

    Args:
        sent: Conversation → messages in the order in which they were accepted.
        unknown: Conversation → messages whose sending ended in an error or a time-out: answered once or never.
        answered: Conversation → the committed answers' messages in order.
    """
    verdict = Verdict()
    for conversation, messages in sent.items():
        maybe = unknown.get(conversation, set())
        got = list(answered.get(conversation, ()))
        known = set(messages) | maybe
        verdict.invented += [f"{conversation}: {text}" for text in got if text not in known]
        verdict.doubled += [f"{conversation}: {text}" for text in set(got) if got.count(text) > 1]
        verdict.lost += [f"{conversation}: {text}" for text in messages if text not in set(got)]
        firm = [text for text in got if text not in maybe]
        order = {text: number for number, text in enumerate(messages)}
        places = [order[text] for text in firm if text in order]
        if places != sorted(places):
            verdict.reordered.append(f"{conversation}: {firm}")
    return verdict
