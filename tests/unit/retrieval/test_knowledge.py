"""What a bundle's documents and uploaded ones answer."""

import asyncio

import pytest

from botyard.retrieval import Knowledge, Retrieval, RetrievalError
from botyard.retrieval import service as retrieval_service
from botyard.retrieval.service import MAX_PASSAGES
from tests.unit.retrieval.platform import Library

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
    return Asked(Retrieval(tmp_path))


class Asked:
    """Documents, and the library that their questions are asked with."""

    def __init__(self, retrieval, library=None):
        self.retrieval = retrieval
        self.library = library or Library()

    async def ask(self, question, collection="", count=5, **how):
        return await self.retrieval.ask(self.library, question, collection, count, **how)


def sources(answer):
    return [chunk["metadata"]["source"] for chunk in answer]


async def test_folders_are_collections_and_loose_files_the_default_one(knowledge):
    assert await knowledge.retrieval.collections(knowledge.library) == ["default", "law", "shop"]


async def test_the_best_passage_comes_first_with_where_it_is_from(knowledge):
    (best, *_) = await knowledge.ask("What does it cost to park on a pavement?", "law")
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
async def test_questions_are_words(knowledge, question, found):
    assert sources(await knowledge.ask(question, "law")) == found


async def test_only_the_asked_collection_answers(knowledge):
    assert await knowledge.ask("brake pads", "law") == []
    assert sources(await knowledge.ask("brake pads", "shop")) == ["brakes.md"]


async def test_without_a_name_the_default_answers_or_all_where_there_is_none(knowledge, tmp_path):
    assert sources(await knowledge.ask("when open?")) == ["loose.md"]
    (tmp_path / "knowledge" / "loose.md").unlink()
    assert sources(await Asked(Retrieval(tmp_path)).ask("brake")) == ["shop/brakes.md"]


async def test_the_count_is_kept_within_bounds(tmp_path):
    folder = tmp_path / "knowledge" / "many"
    folder.mkdir(parents=True)
    for number in range(MAX_PASSAGES + 10):
        (folder / f"{number:03}.txt").write_text("same words")
    knowledge = Asked(Retrieval(tmp_path))
    assert len(await knowledge.ask("words", "many", 3)) == 3
    assert sources(await knowledge.ask("words", "many", 0)) == ["000.txt"]
    assert len(await knowledge.ask("words", "many", 10_000)) == MAX_PASSAGES


async def test_scripts_that_write_vowels_as_marks_are_words_too(tmp_path):
    (tmp_path / "knowledge").mkdir()
    (tmp_path / "knowledge" / "a.txt").write_text("ब्रेक पैड गीले होने पर चीखते हैं")
    assert sources(await Asked(Retrieval(tmp_path)).ask("पैड")) == ["a.txt"]
    assert await Asked(Retrieval(tmp_path)).ask("प") == []


@pytest.mark.parametrize("name", ["unknown", "../law", "law/deep", "."])
async def test_an_unknown_collection_is_named_with_the_known_ones(knowledge, name):
    with pytest.raises(RetrievalError, match="there are: default, law, shop"):
        await knowledge.ask("x", name)


def test_a_bundle_without_documents_has_none(tmp_path):
    assert not Knowledge(tmp_path).exists()
    assert Knowledge(tmp_path).collections() == []


async def test_many_turns_may_ask_at_once(knowledge):
    answers = await asyncio.gather(*(knowledge.ask("paint walls", "law") for _ in range(16)))
    assert [sources(answer) for answer in answers] == [["deep/rights.txt"]] * 16


class TestUploadedDocuments:
    async def test_they_answer_beside_the_bundle_s(self, knowledge):
        knowledge.library.upload("law", "dogs.md", "# Dogs\n\nDogs are kept on a lead.")
        assert sources(await knowledge.ask("a dog's lead", "law")) == ["dogs.md"]
        assert sources(await knowledge.ask("parking", "law")) == ["fines.md"]

    async def test_a_document_of_the_same_name_takes_the_bundle_s_place(self, knowledge):
        knowledge.library.upload("law", "fines.md", "Parking is free.")
        (answer,) = await knowledge.ask("parking", "law")
        assert answer["chunk"] == "Parking is free."

    async def test_a_collection_may_be_uploaded_alone(self, tmp_path):
        asked = Asked(Retrieval(tmp_path))
        with pytest.raises(RetrievalError, match="there are: none"):
            await asked.ask("x", "prices")
        for number in range(5):
            asked.library.upload("prices", f"{number}.md", f"Item{number} costs {number} euros.")
        assert sources(await asked.ask("item4", "prices")) == ["4.md"]
        assert await asked.retrieval.collections(asked.library) == ["prices"]

    async def test_a_change_is_seen_by_the_next_question(self, knowledge):
        knowledge.library.upload("prices", "a.md", "Tubes cost four euros.")
        assert sources(await knowledge.ask("tubes", "prices")) == ["a.md"]
        knowledge.library.upload("prices", "a.md", "Tubes are free.")
        assert (await knowledge.ask("tubes", "prices"))[0]["chunk"] == "Tubes are free."


class TestEmbeddings:
    CONFIG = {"retrieval": {"embeddings": {"role": "embedder"}}}

    @pytest.fixture
    def asked(self, knowledge, tmp_path):
        return Asked(Retrieval(tmp_path, self.CONFIG), knowledge.library)

    async def test_passages_are_ranked_by_how_near_they_are(self, asked):
        (first, second) = await asked.ask("Parking on the pavement", "law", 2)
        assert first["chunk"] == "Parking on the pavement costs fifty euros."
        assert 1 >= first["metadata"]["score"] > second["metadata"]["score"]
        assert asked.library.roles == {"embedder"}

    async def test_each_passage_is_embedded_once_for_all_workers(self, asked, tmp_path):
        await asked.ask("paint", "law")
        assert [len(texts) for texts in asked.library.embedded] == [1, 3]
        await asked.ask("walls", "law")
        other = Asked(Retrieval(tmp_path, self.CONFIG), asked.library)
        await other.ask("walls", "law")
        assert [len(texts) for texts in asked.library.embedded] == [1, 3, 1, 1]

    async def test_only_what_is_new_is_embedded(self, asked):
        await asked.ask("paint", "law")
        asked.library.upload("law", "dogs.md", "Dogs are kept on a lead.")
        assert sources(await asked.ask("dogs lead kept", "law", 1)) == ["dogs.md"]
        assert asked.library.embedded[-1] == ["Dogs are kept on a lead."]

    async def test_another_model_embeds_anew(self, asked):
        await asked.ask("paint", "law")
        asked.library.model_name = "words-2"
        await asked.ask("paint", "law")
        assert [len(texts) for texts in asked.library.embedded] == [1, 3, 1, 3]

    async def test_hybrid_puts_both_rankings_together(self, asked):
        found = await asked.ask("appeals", "law", 3, hybrid=True)
        assert found[0]["metadata"]["heading"] == "Appeals"
        assert len(found) == 3, "what shares no word with the question is near or far, but there"
        assert found == await asked.ask("appeals", "law", 3, hybrid=True)

    async def test_without_embeddings_hybrid_ranks_by_words(self, knowledge):
        assert sources(await knowledge.ask("paint", "law", hybrid=True)) == ["deep/rights.txt"]
        assert knowledge.library.embedded == []

    async def test_too_many_passages_are_told(self, asked, monkeypatch):
        monkeypatch.setattr(retrieval_service, "MAX_EMBEDDED", 2)
        with pytest.raises(RetrievalError, match="3 passages; 2 can be ranked by meaning"):
            await asked.ask("paint", "law")

    @pytest.mark.parametrize("wrong", [{"embeddings": {"model": "x"}}, {"embedding": {}}, {"embeddings": 3}])
    def test_what_the_config_cannot_say_is_told(self, tmp_path, wrong):
        with pytest.raises(ValueError, match=r"The Bot's config: retrieval\."):
            Retrieval(tmp_path, {"retrieval": wrong})
