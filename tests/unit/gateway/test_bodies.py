"""What is wrong in a body is said by field."""

import json

import pytest

from botyard.gateway import bodies
from botyard.gateway.models.messages import MessageRequest
from botyard.gateway.problems import Problem


def parse(text: str) -> MessageRequest:
    return bodies.parse(text.encode(), MessageRequest)


def test_a_valid_body_becomes_its_model() -> None:
    assert parse('{"text": "hi", "options": [{"id": "1"}]}').options[0].id == "1"


@pytest.mark.parametrize(
    ("text", "kind"), [("[]", "an array"), ('"a"', "a string"), ("1", "a number"), ("null", "null")]
)
def test_other_json_is_told_apart_from_no_json(text: str, kind: str) -> None:
    with pytest.raises(Problem, match=f"not {kind}"):
        parse(text)


def test_types_are_not_guessed() -> None:
    with pytest.raises(Problem) as caught:
        parse('{"text": "a", "payload": "b", "id": 7}')
    assert [error["pointer"] for error in caught.value.errors] == ["/payload", "/id"]


def test_pointers_are_escaped() -> None:
    with pytest.raises(Problem) as caught:
        parse('{"text": "a", "a/b~c": 1}')
    assert caught.value.errors[0]["pointer"] == "/a~1b~0c"


def test_many_errors_are_cut_off() -> None:
    with pytest.raises(Problem) as caught:
        parse(json.dumps({f"field{number}": 1 for number in range(100)}))
    assert len(caught.value.errors) == 20


def test_nothing_of_the_value_is_repeated() -> None:
    with pytest.raises(Problem) as caught:
        parse('{"text": "a", "user": "secret\\u0001"}')
    assert "secret" not in str(caught.value.to_response().body)
