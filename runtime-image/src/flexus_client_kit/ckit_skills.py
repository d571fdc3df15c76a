"""Skills of a bot; see `botyard.loop.skills`."""

import json
from collections.abc import Sequence
from pathlib import Path

from botyard.loop.skills import Skill, find, read

__all__ = ["read_name_description", "static_skills_find"]


def static_skills_find(
    bot_root_dir: str | Path, shared_skills_allowlist: str = "", *, integration_skills_allowlist: str = ""
) -> list[str]:
    """Return the names of a bot's own skills (`skills/*/SKILL.md`).

    Args:
        bot_root_dir: The bot's folder.
        shared_skills_allowlist: Skills of the existing kit; Botyard has none, so it adds nothing.
        integration_skills_allowlist: The same.
    """
    del shared_skills_allowlist, integration_skills_allowlist
    return [skill.name for skill in find(Path(bot_root_dir))]


def read_name_description(bot_root_dir: str | Path, skills: Sequence[str] | str | None = None) -> str:
    """Return `[{name, description}]` as JSON text, as `fexp_builtin_skills` takes it.

    Args:
        bot_root_dir: The bot's folder, or a SKILL.md.
        skills: Names, as a list or separated by commas; None: all.
    """
    root = Path(bot_root_dir)
    wanted = [name.strip() for name in skills.split(",")] if isinstance(skills, str) else skills
    found: list[Skill] = [read(root)] if root.is_file() else find(root)
    chosen = [skill for skill in found if wanted is None or skill.name in wanted]
    return json.dumps([{"name": skill.name, "description": skill.description} for skill in chosen], ensure_ascii=False)
