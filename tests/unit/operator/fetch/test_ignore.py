"""Ignore rules as git applies them."""

import pytest

from botyard_operator.fetch.ignore import IgnoreRules


@pytest.mark.parametrize(
    ("spec", "files", "path", "ignored"),
    [
        ("", {}, "bot.py", False),
        ("*.md", {}, "docs/a.md", True),
        ("tests/", {}, "tests/a.py", True),
        ("tests/", {}, "src/tests/a.py", True),
        ("/tests/", {}, "src/tests/a.py", False),
        ("# *.py\n\n", {}, "bot.py", False),
        ("*\n!bot.py", {}, "bot.py", False),
        ("data/\n!data/keep", {}, "data/keep", True),
        ("", {"": "*.md"}, "a.md", True),
        ("", {"lib": "*.md"}, "a.md", False),
        ("", {"lib": "*.md"}, "lib/deep/a.md", True),
        ("", {"lib": "/a.md"}, "lib/a.md", True),
        ("", {"lib": "/a.md"}, "lib/deep/a.md", False),
        ("", {"": "*.md", "lib": "!a.md"}, "lib/a.md", False),
        ("!a.md", {"": "*.md"}, "a.md", False),
        ("", {}, ".botyardignore", True),
        ("!.botyardignore", {}, "lib/.botyardignore", True),
    ],
)
def test_rules(spec: str, files: dict[str, str], path: str, ignored: bool) -> None:
    assert IgnoreRules(spec, files).ignores(path) is ignored
