"""Skills of a bot's folder, and what an expert is told of them."""

import json
from pathlib import Path

import pytest

from botyard.loop import skills
from botyard.loop.install import FMarketplaceExpertInput
from botyard.loop.skills import SkillError
from flexus_client_kit.ckit_skills import read_name_description, static_skills_find

TEXT = "---\nname: {name}\ndescription: How to {name}.\n---\n\nFirst, {name}.\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("refund", "apologise"):
        (tmp_path / "skills" / name).mkdir(parents=True)
        (tmp_path / "skills" / name / "SKILL.md").write_text(TEXT.format(name=name))
    return tmp_path


def test_skills_are_found_with_what_their_files_say(root: Path) -> None:
    assert [(skill.name, skill.description, skill.text) for skill in skills.find(root)] == [
        ("apologise", "How to apologise.", "First, apologise."),
        ("refund", "How to refund.", "First, refund."),
    ]
    assert [skill.name for skill in skills.find(root, "re*, none")] == ["refund"]


def test_both_shapes_of_the_kit_find_them(root: Path) -> None:
    assert static_skills_find(root, shared_skills_allowlist="") == ["apologise", "refund"]
    assert static_skills_find(root, "", integration_skills_allowlist="*") == ["apologise", "refund"]
    assert json.loads(read_name_description(root, ["refund"])) == [{"name": "refund", "description": "How to refund."}]


def test_an_expert_is_told_of_its_skills(root: Path) -> None:
    expert = FMarketplaceExpertInput(fexp_system_prompt="You.", fexp_builtin_skills=read_name_description(root))
    assert expert.prompt().startswith("You.\n\nSkills")
    assert "- refund: How to refund." in expert.prompt()
    assert FMarketplaceExpertInput(fexp_system_prompt="You.").prompt() == "You."


async def test_a_skill_is_read_by_its_name_and_others_are_named(root: Path) -> None:
    found = skills.find(root)
    assert await skills.fetch(found, {"name": "refund"}) == "First, refund."
    assert "apologise, refund" in await skills.fetch(found, {"name": "fly"})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("no front matter", "must begin with front matter"),
        ("---\nname: x\n", "must begin with front matter"),
        ("---\nname: [\n---\n", "no YAML"),
        ("---\nname: x\n---\ntext", "needs name and description"),
        ("---\n- x\n---\ntext", "needs name and description"),
        ("x" * (skills.MAX_SIZE + 1), "are allowed"),
    ],
    ids=["none", "open", "broken", "nameless", "list", "large"],
)
def test_a_skill_that_cannot_be_read_is_told_with_its_file(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "skills" / "odd").mkdir(parents=True)
    (tmp_path / "skills" / "odd" / "SKILL.md").write_text(content)
    with pytest.raises(SkillError, match=says) as error:
        skills.find(tmp_path)
    assert "odd" in str(error.value)


def test_options_of_other_releases_do_not_stop_an_expert() -> None:
    expert = FMarketplaceExpertInput(fexp_system_prompt="You.", fexp_from_the_future=1, fexp_nature="N")
    assert expert.fexp_nature == "N"
    with pytest.raises(TypeError, match="prompt"):
        FMarketplaceExpertInput(prompt="You.")
