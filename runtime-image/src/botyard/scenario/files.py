"""Reads scenario files; what does not fit is told with file, line and key."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from botyard.scenario import kit_file
from botyard.scenario.document import Scenario, ScenarioError
from botyard.scenario.model import is_script

FOLDER = "scenarios"
"""Of a bundle: where its scenarios are."""
MAX_FILE_BYTES = 1024 * 1024
_MESSAGES = re.compile(r"^messages\s*:", re.MULTILINE)
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """Reads `no`, `on` and dates as the texts that they are in a conversation."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:bool", _TIMESTAMP)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# The kit's files include texts of the bundle by a tag of this form; it is resolved when the bundle is loaded.
_Loader.add_multi_constructor("!PYTHON[", lambda loader, suffix, node: f"!PYTHON[{suffix}")
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def scenario_files(bundle: Path) -> list[Path]:
    """Return the scenario files of a bundle; model scripts lie among them and are none."""
    found = (file for suffix in ("*.yaml", "*.yml") for file in (bundle / FOLDER).rglob(suffix))
    return sorted(file for file in found if not is_script(file))


def kit_files(bundle: Path) -> list[Path]:
    """Return the scenario files of the existing kit in a bundle: `EXPERT__NAME.yaml` beside the bot's code."""
    found = (
        file
        for suffix in ("*__*.yaml", "*__*.yml")
        for file in bundle.rglob(suffix)
        if not any(part.startswith((".", "node_modules")) for part in file.relative_to(bundle).parts)
    )
    return sorted(
        file for file in found if not is_script(file) and _MESSAGES.search(file.read_text("utf-8", "replace"))
    )


def load_file(path: Path) -> list[Scenario]:
    """Return the scenarios of a file: one for each YAML document.

    Raises:
        ScenarioError: It cannot be read, is no YAML, or does not fit the schema.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ScenarioError(f"{path}: a scenario file may have {MAX_FILE_BYTES} bytes")
        loader = _Loader(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    scenarios = []
    try:
        while loader.check_node():
            node = loader.get_node()
            scenarios.append(_scenario(path, node, loader.construct_document(node)))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ScenarioError(f"{path}:{line}: is no YAML: {error.problem}") from error
    finally:
        loader.dispose()
    if not scenarios:
        raise ScenarioError(f"{path}: holds no scenario; see docs/scenarios.md")
    return scenarios


def _scenario(path: Path, node: Any, content: Any) -> Scenario:
    if not isinstance(content, dict):
        raise ScenarioError(f"{path}:{_line(node)}: a scenario is an object with `scenario` and `steps`")
    if internal := sorted({"line", "replay", "stand_ins", "standIns", "providers"} & set(content)):
        raise ScenarioError(f"{path}:{_line(_at(node, internal[:1]))}: {internal[0]}: there is no such key")
    try:
        if kit_file.is_kit_file(content):
            messages = _at(node, ["messages"])
            lines = [_line(item) for item in messages.value] if isinstance(messages, yaml.SequenceNode) else []
            return kit_file.scenario_of(path, content, lines)
        scenario = Scenario.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "scenario"
        raise ScenarioError(f"{path}:{_line(_at(node, problem['loc']))}: {where}: {problem['msg']}") from error
    lines = [_line(item) for item in _at(node, ["steps"]).value]
    steps = tuple(step.model_copy(update={"line": at}) for step, at in zip(scenario.steps, lines, strict=True))
    return scenario.model_copy(update={"steps": steps, "line": _line(node)})


def _line(node: Any) -> int:
    line: int = node.start_mark.line + 1
    return line


def _at(node: Any, place: Sequence[int | str]) -> Any:
    """Return the node at a place of a document, or the innermost one around it; names of types are passed over."""
    for part in place:
        if isinstance(node, yaml.MappingNode):
            node = next((key_value[1] for key_value in node.value if key_value[0].value == str(part)), node)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
    return node
