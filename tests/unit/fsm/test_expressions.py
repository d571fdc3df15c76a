"""Expressions of tasks are evaluated without `eval`."""

import pytest

from botyard.fsm import ExpressionError
from botyard.fsm.expressions import function_of


@pytest.mark.parametrize(
    ("expression", "value", "result"),
    [
        ("age >= 18", 20, True),
        ("18 <= age < 100", 100, False),
        ("lambda a: a * 2 + 1", 3, 7),
        ("len(age.strip()) > 2 and age.isdigit()", " 123", False),
        ("x in ['a', 'b'] or value == 'c'", "c", True),
        ("re.fullmatch(r'\\d{4}', age) is not None", "1234", True),
        ("bool(re.match('[A-Z]+', age))", "abc", False),
        ("'child' if age < 18 else 'adult'", 3, "child"),
        ("age[0].upper() + age[1:]", "bike", "Bike"),
        ("not age", "", True),
        ("{'n': age, 's': (age, -age)}['s'][1]", 2, -2),
        ("age is None", None, True),
        ("sum([1, age]) // 2", 5, 3),
        ("age.get('k', 'none')", {}, "none"),
    ],
)
def test_usual_expressions(expression, value, result):
    assert function_of(expression, "age")(value) == result


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("__import__('os').system('true')", "__import__"),
        ("age.__class__.__mro__", "__class__|__mro__"),
        ("open('/etc/passwd')", "open"),
        ("[c for c in age]", "ListComp"),
        ("lambda: 1", "one argument"),
        ("age ** 9999999", "Pow|cannot be evaluated"),
        ("age =", "not a Python expression"),
        ("'{0.__class__}'.format(age)", "format"),
        ("x" * 5000, "characters"),
        ("(lambda y: y)(age)", "Lambda"),
    ],
)
def test_what_may_not_be_written_is_refused_with_a_reason(expression, says):
    with pytest.raises(ExpressionError, match=says):
        function_of(expression, "age")(3)
