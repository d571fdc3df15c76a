"""Skills: folders with a SKILL.md that tells an expert how to do something, read when it is needed.

    skills/refunds/SKILL.md       front matter with `name` and `description`, then the text

Source: `ckit_skills` of the loop model's kit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from botyard.loop.tools import CloudTool

FILE = "SKILL.md"
MAX_SIZE = 256 * 1024
"""Bytes of one skill's text."""
FETCH = CloudTool(
    strict=True,
    name="flexus_fetch_skill",
    description="Read how to do something, by the name of a skill.",
    parameters={
        "type": "object",
        "properties": {"name": {"type": "string", "description": "Name of the skill."}},
        "required": ["name"],
        "additionalProperties": False,
    },
)
"""The tool by which an expert reads a skill."""


class SkillError(ValueError):
    """A skill cannot be read; the message names its file and what is wrong."""


@dataclass(frozen=True)
class Skill:
    """One skill.

    Attributes:
        name: What an expert calls it.
        description: When it is useful.
        text: What is to be done.
    """

    name: str
    description: str
    text: str


def find(root: Path, allowed: str = "*") -> list[Skill]:
    """Return the skills of a bot's folder, in the order of their names.

    Args:
        root: Holds `skills/*/SKILL.md`.
        allowed: Patterns of names, separated by commas.

    Raises:
        SkillError: One of them cannot be read.
    """
    patterns = [pattern.strip() for pattern in allowed.split(",") if pattern.strip()]
    skills = [read(path) for path in sorted(root.glob(f"skills/*/{FILE}"))]
    return [skill for skill in skills if any(fnmatchcase(skill.name, pattern) for pattern in patterns)]


def read(path: Path) -> Skill:
    """Return the skill of a file.

    Raises:
        SkillError: It cannot be read, is too large, or its front matter lacks something.
    """
    try:
        if (size := path.stat().st_size) > MAX_SIZE:
            raise SkillError(f"{path} has {size} bytes; {MAX_SIZE} are allowed")
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SkillError(f"{path} cannot be read: {error}") from error
    opening, _, rest = content.partition("\n")
    front, closing, text = rest.partition("\n---")
    if opening.strip() != "---" or not closing:
        raise SkillError(f"{path} must begin with front matter between two lines of ---")
    try:
        said = yaml.safe_load(front)
    except yaml.YAMLError as error:
        raise SkillError(f"{path}: its front matter is no YAML: {error}") from error
    if not isinstance(said, dict) or not (isinstance(said.get("name"), str) and said.get("description")):
        raise SkillError(f"{path}: its front matter needs name and description")
    return Skill(said["name"], str(said["description"]), text.partition("\n")[2].strip())


def overview(skills: Sequence[tuple[str, str]]) -> str:
    """Return what an expert is told of its skills, by name and description; empty when it has none."""
    if not skills:
        return ""
    lines = "\n".join(f"- {name}: {description}" for name, description in skills)
    return f"Skills, each to be read with {FETCH.name} before it is needed:\n{lines}"


async def fetch(skills: Sequence[Skill], args: dict[str, Any]) -> str:
    """Return the text of the skill that a call of `FETCH` names, or what there is instead."""
    name = args.get("name")
    for skill in skills:
        if skill.name == name:
            return skill.text
    return f"There is no skill {name!r}; there are: {', '.join(skill.name for skill in skills) or 'none'}."
