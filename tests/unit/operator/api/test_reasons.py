import re

import pytest

from botyard_operator.api.reasons import ConditionType, Reason
from botyard_operator.fetch.errors import Reason as FetchReason


@pytest.mark.parametrize("word", [*ConditionType, *Reason])
def test_words_have_the_shape_that_the_api_conventions_ask_for_and_a_meaning(word: ConditionType | Reason) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]{2,63}", word)
    assert word.doc.endswith(".")
    assert f"{word}" == word.value


def test_the_reasons_of_fetches_are_documented() -> None:
    # The fetch runs in a process of its own and has a list of its own; a status shows them all.
    assert {str(reason) for reason in FetchReason} <= {str(r) for r in Reason if r.applies_to("Bundle")}
