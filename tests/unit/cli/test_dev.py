"""What `botyard dev` makes of its arguments and of changes."""

import asyncio
from pathlib import Path

import pytest

from botyard.cli.dev import changes, inputs
from botyard.cli.dev.processes import readable
from botyard.cli.errors import CommandError
from botyard.contract.spending import PersonaBudget


@pytest.mark.parametrize(
    ("folder", "name"), [("Repairs", "repairs"), ("my_bot v2", "my-bot-v2"), ("--x--", "x"), ("a" * 80, "a" * 63)]
)
def test_a_bot_is_named_after_its_folder(folder: str, name: str) -> None:
    assert inputs.bot_name(Path("/somewhere") / folder) == name


def test_a_folder_without_a_usable_name_is_an_error() -> None:
    with pytest.raises(CommandError, match="--name"):
        inputs.bot_name(Path("/somewhere/___"))


def test_credentials_are_read_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# comment\n\nexport KEY=a=b\nQUOTED = 'x y'\nEMPTY=\n")
    assert inputs.credentials(path) == {"KEY": "a=b", "QUOTED": "x y", "EMPTY": ""}


def test_a_line_that_is_no_credential_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("KEY=a\nnonsense\n")
    with pytest.raises(CommandError, match=":2: a credential is written NAME=value"):
        inputs.credentials(path)


def test_personas_come_from_manifests(tmp_path: Path) -> None:
    path = tmp_path / "personas.yaml"
    path.write_text(
        "kind: Persona\nmetadata: {name: nora}\nspec: {displayName: Nora, setup: {limit: 7}}\n---\n"
        "kind: Persona\nmetadata: {name: otto}\nspec: {budget: {daily: 500, perThread: 90, onExceeded: Ask}}\n"
    )
    found = inputs.personas([path]).personas
    assert [(each.name, each.display_name, each.setup) for each in found] == [
        ("nora", "Nora", {"limit": 7}),
        ("otto", "", {}),
    ]
    assert found[0].budget == PersonaBudget()
    assert found[1].budget == PersonaBudget(daily=500, per_thread=90, on_exceeded="Ask")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("kind: Bot\n", "not Bot"),
        ("- 1\n", "something else"),
        ("kind: [", "not YAML"),
        ("kind: Persona\n", "name"),
        ("kind: Persona\nmetadata: {name: a}\nspec: {budget: {daily: -1}}", "budget.daily: Input should be greater"),
        ("kind: Persona\nmetadata: {name: a}\nspec: {budget: {timeZone: Mars/Olympus}}", "there is no time zone 'Mars"),
    ],
)
def test_other_manifests_are_refused(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(CommandError, match=part):
        inputs.personas([path])


async def test_a_change_is_told_once_the_files_have_come_to_rest(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text("a")
    (tmp_path / "old.py").write_text("a")
    before = changes.snapshot(tmp_path)
    waiting = asyncio.create_task(changes.changed(tmp_path, before, poll=0.02))
    (tmp_path / "bot.py").write_text("ab")
    (tmp_path / "old.py").unlink()
    (tmp_path / "new.py").write_text("a")
    async with asyncio.timeout(5):
        paths, after = await waiting
    assert [path.name for path in paths] == ["bot.py", "new.py", "old.py"]
    assert after == changes.snapshot(tmp_path)


def test_caches_and_editors_files_are_no_change(tmp_path: Path) -> None:
    before = changes.snapshot(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    for name in ("__pycache__/bot.pyc", ".bot.py.swp", "bot.py~", ".hidden"):
        (tmp_path / name).write_text("x")
    assert changes.snapshot(tmp_path) == before


def test_compiled_files_of_changed_sources_go(tmp_path: Path) -> None:
    import py_compile

    source = tmp_path / "bot.py"
    source.write_text("A = 1")
    compiled = Path(str(py_compile.compile(str(source))))
    changes.forget_bytecode([source, tmp_path / "notes.txt"])
    assert not compiled.exists()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            '{"time": "2026-01-02T03:04:05.678Z", "level": "info", "message": "hi", "logger": "bundle", "turn": "t1"}',
            "03:04:05 INFO    print: hi [t1]",
        ),
        ("plain text", "plain text"),
        ("[1, 2]", "[1, 2]"),
    ],
)
def test_log_lines_are_made_readable(line: str, shown: str) -> None:
    assert readable(line) == shown
