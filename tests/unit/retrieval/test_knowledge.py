"""What a bundle's documents answer."""

import threading

import pytest

from botyard.retrieval import Knowledge, RetrievalError
from botyard.retrieval.knowledge import MAX_PASSAGES

DOCUMENTS = {
    "law/fines.md": "# Fines\n\nParking on the pavement costs fifty euros.\n\n# Appeals\n\nAppeal within two weeks.",
    "law/deep/rights.txt": "Tenants may paint their walls.",
    "shop/brakes.md": "# Brakes\n\nBrake pads squeak when they are wet.",
    "loose.md": "Open from nine to five.",
    "ignored.pdf": "%PDF brakes",
}


@pytest.fixture
def knowledge(tmp_path):
    for name, text in DOCUMENTS.items():
        path = tmp_path / "knowledge" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Knowledge(tmp_path)


def sources(answer):
    return [chunk["metadata"]["source"] for chunk in answer]


def test_folders_are_collections_and_loose_files_the_default_one(knowledge):
    assert knowledge.collections() == ["default", "law", "shop"]


def test_the_best_passage_comes_first_with_where_it_is_from(knowledge):
    (best, *_) = knowledge.ask("What does it cost to park on a pavement?", "law")
    assert best["chunk"] == "Parking on the pavement costs fifty euros."
    assert best["metadata"]["source"] == "fines.md"
    assert best["metadata"]["heading"] == "Fines"
    assert best["metadata"]["collection"] == "law"
    assert best["metadata"]["score"] > 0


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("appeals", ["fines.md"]),  # in a heading
        ("painting a wall", ["deep/rights.txt"]),  # other forms of the words
        ("zebra", []),
        ("", []),
        ('"paint" OR NEAR(walls) -tenants *', ["deep/rights.txt"]),  # operators are words
    ],
)
def test_questions_are_words(knowledge, question, found):
    assert sources(knowledge.ask(question, "law")) == found


def test_only_the_asked_collection_answers(knowledge):
    assert knowledge.ask("brake pads", "law") == []
    assert sources(knowledge.ask("brake pads", "shop")) == ["brakes.md"]


def test_without_a_name_the_default_answers_or_all_where_there_is_none(knowledge, tmp_path):
    assert sources(knowledge.ask("when open?")) == ["loose.md"]
    (tmp_path / "knowledge" / "loose.md").unlink()
    assert sources(Knowledge(tmp_path).ask("brake")) == ["shop/brakes.md"]


def test_the_count_is_kept_within_bounds(tmp_path):
    folder = tmp_path / "knowledge" / "many"
    folder.mkdir(parents=True)
    for number in range(MAX_PASSAGES + 10):
        (folder / f"{number:03}.txt").write_text("same words")
    knowledge = Knowledge(tmp_path)
    assert len(knowledge.ask("words", "many", 3)) == 3
    assert sources(knowledge.ask("words", "many", 0)) == ["000.txt"]
    assert len(knowledge.ask("words", "many", 10_000)) == MAX_PASSAGES


def test_scripts_that_write_vowels_as_marks_are_words_too(tmp_path):
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "a.txt").write_text("ब्रेक पैड गीले होने पर चीखते हैं")
    assert sources(Knowledge(tmp_path).ask("पैड")) == ["a.txt"]
    assert Knowledge(tmp_path).ask("प") == []


@pytest.mark.parametrize("name", ["unknown", "../law", "law/deep", "."])
def test_an_unknown_collection_is_named_with_the_known_ones(knowledge, name):
    with pytest.raises(RetrievalError, match="there are: default, law, shop"):
        knowledge.ask("x", name)


def test_a_bundle_without_documents_has_none(tmp_path):
    assert not Knowledge(tmp_path).exists()
    assert Knowledge(tmp_path).collections() == []


def test_many_threads_may_ask_at_once(knowledge):
    answers, errors = [], []

    def ask():
        try:
            answers.append(sources(knowledge.ask("paint walls", "law")))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert answers == [["deep/rights.txt"]] * 16
