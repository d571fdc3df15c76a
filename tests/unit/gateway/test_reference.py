"""docs/http-api.md says what the code does."""

from pathlib import Path

import pytest

from botyard.gateway import openapi, reference
from botyard.gateway.operations import OPERATIONS
from botyard.gateway.problems import CATALOGUE

PAGE = Path(__file__).parents[3] / "docs" / "http-api.md"


def test_the_page_is_what_the_code_makes_of_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.page(), (
        "write it again: python -m botyard.gateway.reference > docs/http-api.md"
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_call_has_an_example_and_its_problems_exist(operation: object) -> None:
    from botyard.gateway.operations.operation import Operation

    assert isinstance(operation, Operation)
    assert operation.name in reference.EXAMPLES
    assert set(operation.problems) <= set(CATALOGUE)
    assert ("unauthenticated" in operation.problems) is operation.authenticated


def test_every_reference_of_the_schema_resolves() -> None:
    document = openapi.document()
    schemas = document["components"]["schemas"]

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert node["$ref"].removeprefix("#/components/schemas/") in schemas
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)


def test_operation_ids_are_unique() -> None:
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)
