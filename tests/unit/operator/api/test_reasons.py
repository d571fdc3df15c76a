import re

import pytest

from botyard_operator.api.reasons import ConditionType, Reason


@pytest.mark.parametrize("word", [*ConditionType, *Reason])
def test_words_have_the_shape_that_the_api_conventions_ask_for_and_a_meaning(word: ConditionType | Reason) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]{2,63}", word)
    assert word.doc.endswith(".")
    assert f"{word}" == word.value
