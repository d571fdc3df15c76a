"""Every reason of a Bundle is documented with an example in the code's own words and a way out."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import botyard
import botyard_operator
from botyard_operator.api.guidance import BUNDLE
from botyard_operator.api.reasons import Reason

SOURCE = Path(botyard_operator.__file__).parent
FILES = [
    *SOURCE.glob("fetch/*.py"),
    *SOURCE.glob("artifacts/*.py"),
    *SOURCE.glob("reconcile/bu*.py"),
    SOURCE / "reconcile" / "problems.py",
    SOURCE / "reconcile" / "pods.py",
    SOURCE / "reconcile" / "ownership.py",
    # What build pods say: reasons are words there.
    *(Path(botyard.__file__).parent / "bundle_build").glob("*.py"),
]
CLASSIFICATION = SOURCE / "fetch" / "errors.py"
"""Sorts reasons and says none of them."""
DOCUMENTED = [reason for reason in Reason if reason.applies_to("Bundle")]
PASSED_ON = {
    Reason.RETRYING,
    Reason.INVALID_SPEC,
    Reason.SUSPENDED,
    Reason.SYNTAX_ERROR,
    Reason.IMPORT_FAILED,
    Reason.MODEL_UNKNOWN,
    Reason.MODEL_AMBIGUOUS,
    Reason.ACCESS_DENIED,
    Reason.PODS_REFUSED,
    Reason.IMAGE_PULL_FAILED,
    Reason.UNSCHEDULABLE,
    Reason.CONFLICT,
    Reason.QUOTA_EXCEEDED,
    Reason.STORAGE_FAILED,
    Reason.BUILD_FAILED,
    Reason.INDEX_SECRET_INVALID,
    Reason.REQUIREMENTS_INVALID,
}
"""Reasons whose messages are made elsewhere or in pieces."""
_TELLING = 12
"""A fragment of a message of this length is recognisable."""


def reasons_in(node: ast.AST) -> set[Reason]:
    named = {
        Reason[child.attr]
        for child in ast.walk(node)
        if isinstance(child, ast.Attribute) and isinstance(child.value, ast.Name) and child.value.id == "Reason"
    }
    words = {
        Reason(child.value)
        for child in ast.walk(node)
        if isinstance(child, ast.Constant) and child.value in {str(reason) for reason in DOCUMENTED}
    }
    return named | words


def used() -> set[Reason]:
    return {r for file in FILES if file != CLASSIFICATION for r in reasons_in(ast.parse(file.read_text()))}


def fragments() -> dict[Reason, set[str]]:
    """Return the literal texts that stand in one call, or in one row of a table, with a reason."""
    found: dict[Reason, set[str]] = defaultdict(set)
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                parts: list[ast.expr] = [*node.args, *(keyword.value for keyword in node.keywords)]
            elif isinstance(node, ast.Tuple):
                parts = node.elts
            else:
                continue
            for reason in {r for part in parts for r in reasons_in(part)}:
                found[reason] |= set(texts(node))
    return found


def texts(call: ast.AST) -> Iterator[str]:
    for node in ast.walk(call):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) >= _TELLING:
            yield node.value


def test_every_reason_that_is_used_is_documented() -> None:
    assert {reason for reason in used() if reason.applies_to("Bundle")} <= set(BUNDLE)
    assert set(BUNDLE) == set(DOCUMENTED)


def test_no_reason_is_documented_that_is_never_used() -> None:
    assert set(BUNDLE) <= used()


@pytest.mark.parametrize("reason", [reason for reason in DOCUMENTED if reason not in PASSED_ON])
def test_examples_are_in_the_words_of_the_code(reason: Reason) -> None:
    example = BUNDLE[reason].example
    assert any(text.rstrip(". ") in example for text in fragments()[reason]), example


@pytest.mark.parametrize("reason", DOCUMENTED)
def test_each_reason_has_an_example_and_a_way_out_on_the_page(reason: Reason) -> None:
    page = (Path(__file__).parents[4] / "docs" / "bundle.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {reason} |")]
    assert BUNDLE[reason].example in row
    assert BUNDLE[reason].way_out in row
    assert BUNDLE[reason].way_out.endswith(".")
