"""Which credentials a bundle reads, found in its code alone."""

import ast

import pytest

from botyard.inspection.credentials import find_credentials


def found(code):
    return [(each.name, each.required, each.default) for each in find_credentials([("bot.py", ast.parse(code))])]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ('self.credentials["KEY"]', [("KEY", True, None)]),
        ('credentials.get("KEY")', [("KEY", False, None)]),
        ('credentials.get("KEY", "https://a.test")', [("KEY", False, "https://a.test")]),
        ('URL = "https://a.test"\nx = self.credentials.get("KEY", URL)', [("KEY", False, "https://a.test")]),
        ('self.credentials["KEY"] = 5', []),
        ('if not credentials.get("KEY"):\n    raise ValueError("KEY")', [("KEY", True, None)]),
        ('if "KEY" not in credentials:\n    raise ValueError("KEY")', [("KEY", True, None)]),
        ('if "KEY" in credentials:\n    use()', [("KEY", False, None)]),
        (
            'for key in ("A", "B"):\n    if credentials.get(key) is None:\n        raise ValueError(key)',
            [("A", True, None), ("B", True, None)],
        ),
        (
            'class Bot:\n    required = ["A"]\n    def f(self):\n        for k in self.required:\n'
            "            self.credentials[k]",
            [("A", True, None)],
        ),
        ('credentials.get("KEY")\nself.credentials["KEY"]', [("KEY", True, None)]),
        ('other["KEY"]; credentials[name]', []),
    ],
)
def test_names_and_whether_they_are_required(code, expected):
    assert found(code) == expected


def test_the_place_of_the_first_use_is_told():
    (credential,) = find_credentials(
        [("a.py", ast.parse('\n\ncredentials["K"]')), ("b.py", ast.parse('credentials["K"]'))]
    )
    assert credential.where == "a.py:3"
