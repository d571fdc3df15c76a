"""How documents are cut into passages."""

import pytest

from botyard.retrieval.passages import MAX_CHARACTERS, cut


def parts(text, markdown=True):
    return [(passage.heading, passage.text) for passage in cut(text, "a.md", markdown=markdown)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("one\n\ntwo", [("", "one\n\ntwo")]),
        ("# A\n\none\n\n## B ##\n\ntwo\n\n# C\nthree", [("A", "one"), ("A > B", "two"), ("C", "three")]),
        ("# A\n\n```\n# no heading\n```", [("A", "```\n# no heading\n```")]),
        ("# Only a heading", []),
    ],
)
def test_a_passage_never_crosses_a_heading(text, expected):
    assert parts(text) == expected


def test_plain_text_has_no_headings():
    assert parts("# 5 screws\n\nin a box", markdown=False) == [("", "# 5 screws\n\nin a box")]


def test_paragraphs_are_put_together_up_to_the_limit():
    paragraph = "word " * 100
    passages = cut("\n\n".join([paragraph] * 5), "a.md", markdown=True)
    assert [len(passage.text) for passage in passages] == [1000, 1000, 499]
    assert [passage.number for passage in passages] == [0, 1, 2]


@pytest.mark.parametrize("text", ["A sentence of words. " * 200, "x" * 5000, "word " * 2000])
def test_a_long_paragraph_is_cut_and_nothing_is_lost(text):
    passages = cut(text, "a.txt", markdown=False)
    assert all(0 < len(passage.text) <= MAX_CHARACTERS for passage in passages)
    rejoined = "".join(passage.text for passage in passages)
    assert rejoined.replace(" ", "").replace("\n", "") == text.replace(" ", "")


def test_it_is_cut_between_sentences():
    passages = cut("This is one sentence. " * 100, "a.txt", markdown=False)
    assert all(passage.text.endswith("sentence.") for passage in passages)
