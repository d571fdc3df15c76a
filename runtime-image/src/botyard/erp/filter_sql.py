"""What filters mean to PostgreSQL: the same as `botyard.erp.filters` means for the same row in memory.

Columns whose type says what they hold (texts, numbers, truths) are compared as such, so that indexes serve; all others
as the JSON that a row has of them, whose values say themselves what they are.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from psycopg import sql
from psycopg.sql import SQL, Composable

from botyard.erp import filter_language as language
from botyard.erp.filter_language import MAX_NUMBER, NEGATED, NUMBER, TRUTHS, Condition, Expression, Negated, Wildcard
from botyard.erp.store.catalog import Column

FALSE, TRUE = SQL("FALSE"), SQL("TRUE")
_COMPARISONS = {">": SQL(">"), ">=": SQL(">="), "<": SQL("<"), "<=": SQL("<=")}


@dataclass
class Parameters:
    """Values that travel beside the statement, never in it."""

    values: dict[str, Any] = field(default_factory=dict)

    def add(self, value: Any) -> Composable:
        """Return what stands for a value in the statement."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return sql.Placeholder(name)


class Translation:
    """Translates the filters of one statement.

    Args:
        column: Returns a column of the table; raises where there is none.
        parameters: Gets the values.
        any_case: Collation by which texts are put into lower case; empty: the database's own.
    """

    def __init__(self, column: Callable[[str], Column], parameters: Parameters, *, any_case: str = "") -> None:
        self._column = column
        self._parameters = parameters
        self._collate = SQL(" COLLATE {}").format(sql.Identifier(any_case)) if any_case else SQL("")

    def condition(self, expression: Expression, *, exact: bool = False) -> Composable:
        """Return the SQL of an expression.

        Args:
            expression: What must hold.
            exact: It must be false where it does not hold, not NULL: what is around it turns it round.
        """
        if isinstance(expression, Condition):
            return self._one(expression, exact)
        if isinstance(expression, Negated):
            return SQL("(NOT {})").format(self.condition(expression.part, exact=True))
        if not expression.parts:
            return TRUE if expression.every else FALSE
        between = SQL(" AND ") if expression.every else SQL(" OR ")
        return SQL("({})").format(between.join(self.condition(part, exact=exact) for part in expression.parts))

    def _one(self, condition: Condition, exact: bool) -> Composable:
        if (opposite := NEGATED.get(condition.operator)) is not None:
            return SQL("(NOT {})").format(self._one(Condition(condition.path, opposite, condition.value), True))
        column, value = self._column(condition.path[0]), condition.value
        if len(condition.path) > 1 or column.kind in ("other", "bytes"):
            return self._json(condition, column)
        if condition.operator in ("IS_NULL", "IS_EMPTY"):
            none = SQL("{} IS NULL").format(column.identifier)
            if condition.operator == "IS_EMPTY" and column.kind == "text":
                return SQL("({} OR {} = '')").format(none, column.identifier)
            return none
        if column.kind == "text":
            found = self._of_text(condition.operator, value, column.identifier)
        elif column.kind == "boolean":
            found = self._of_truth(condition.operator, value, column.identifier)
        else:
            found = self._of_number(condition.operator, value, column.identifier)
            if column.kind == "numeric" and condition.operator in _COMPARISONS and found is not FALSE:
                # NaN and the infinities are no numbers to compare with.
                found = SQL("({} AND jsonb_typeof(to_jsonb({})) = 'number')").format(found, column.identifier)
        return SQL("coalesce({}, FALSE)").format(found) if exact else found

    def _json(self, condition: Condition, column: Column) -> Composable:
        """Return the SQL where only each value says what it is; never NULL."""
        value = SQL("to_jsonb({})").format(column.value() if column.kind == "bytes" else column.identifier)
        if len(condition.path) > 1:
            value = SQL("({} #> {}::text[])").format(value, self._parameters.add(list(condition.path[1:])))
        operator, written = condition.operator, condition.value
        text = SQL("({} #>> '{{}}')").format(value)
        is_null, is_empty = operator == "IS_NULL", operator == "IS_EMPTY"
        cases: dict[str, Composable] = {
            "string": SQL("{} = ''").format(text) if is_empty else self._of_text(operator, written, text),
            "number": self._of_number(operator, written, SQL("{}::numeric").format(text)),
            "boolean": self._of_truth(operator, written, SQL("{}::boolean").format(text)),
            "object": FALSE,
            "array": FALSE,
        }
        if is_empty:
            cases |= {"object": SQL("{} = '{{}}'").format(value), "array": SQL("{} = '[]'").format(value)}
        elif operator == "contains":
            cases["object"] = SQL("jsonb_exists({}, {})").format(value, self._parameters.add(written))
            cases["array"] = self._has_item(value, written)
        whens = [SQL("WHEN {} THEN {}").format(sql.Literal(kind), case) for kind, case in cases.items()]
        otherwise = TRUE if is_null or is_empty else FALSE
        return SQL("(CASE jsonb_typeof({}) {} ELSE {} END)").format(value, SQL(" ").join(whens), otherwise)

    def _has_item(self, value: Composable, written: str) -> Composable:
        text = SQL("(item #>> '{{}}')").format()
        return SQL(
            "EXISTS (SELECT FROM jsonb_array_elements({}) AS item WHERE CASE jsonb_typeof(item) "
            "WHEN 'string' THEN {} WHEN 'number' THEN {} WHEN 'boolean' THEN {} ELSE FALSE END)"
        ).format(
            value,
            self._of_text("=", written, text),
            self._of_number("=", written, SQL("{}::numeric").format(text)),
            self._of_truth("=", written, SQL("{}::boolean").format(text)),
        )

    def _of_text(self, operator: str, written: str, text: Composable) -> Composable:
        given = self._parameters.add
        if operator == "=":
            return SQL("{} = {}").format(text, given(written))
        if operator in _COMPARISONS:
            return self._ordered(operator, written, text)
        if operator == "IN":
            return SQL("{} = ANY({}::text[])").format(text, given(language.one_of(written)))
        if operator == "LIKE":
            return SQL('({} COLLATE "C" LIKE {})').format(text, given(_pattern(written)))
        if operator == "ILIKE":
            return SQL("({} LIKE {})").format(self._lower(text), given(_pattern(written.lower())))
        if operator == "CIEQL":
            return SQL("({} = {})").format(self._lower(text), given(written.lower()))
        if operator == "contains":
            return SQL('strpos({} COLLATE "C", {}) > 0').format(text, given(written))
        return FALSE

    def _lower(self, text: Composable) -> Composable:
        return SQL('lower({}{}) COLLATE "C"').format(text, self._collate)

    def _ordered(self, operator: str, written: str, text: Composable) -> Composable:
        """Compare as numbers what both are, as texts what is none."""
        sign, wanted = _COMPARISONS[operator], language.number(written)
        as_texts = SQL('({} COLLATE "C" {} {})').format(text, sign, self._parameters.add(written))
        if wanted is None:
            return as_texts
        return SQL("CASE WHEN length({}) <= {} AND {} ~ {} THEN {}::numeric {} {} ELSE {} END").format(
            text,
            sql.Literal(MAX_NUMBER),
            text,
            self._parameters.add(f"^{NUMBER}$"),
            text,
            sign,
            self._parameters.add(wanted),
            as_texts,
        )

    def _of_number(self, operator: str, written: str, number: Composable) -> Composable:
        if operator == "IN":
            wanted = [_sargable(one) for part in language.one_of(written) if (one := language.number(part)) is not None]
            if not wanted:
                return FALSE
            if not all(isinstance(one, int) for one in wanted):
                return SQL("{} = ANY({}::numeric[])").format(number, self._parameters.add([*map(Decimal, wanted)]))
            return SQL("{} = ANY({}::bigint[])").format(number, self._parameters.add(wanted))
        one = language.number(written)
        if one is None:
            return FALSE
        if operator == "=":
            return SQL("{} = {}").format(number, self._parameters.add(_sargable(one)))
        if operator in _COMPARISONS:
            return SQL("{} {} {}").format(number, _COMPARISONS[operator], self._parameters.add(_sargable(one)))
        return FALSE

    def _of_truth(self, operator: str, written: str, truth: Composable) -> Composable:
        if operator == "IN":
            wanted = [TRUTHS[part.lower()] for part in language.one_of(written) if part.lower() in TRUTHS]
            return SQL("{} = ANY({}::boolean[])").format(truth, self._parameters.add(wanted)) if wanted else FALSE
        if operator == "=" and (one := TRUTHS.get(written.lower())) is not None:
            return SQL("{} = {}").format(truth, self._parameters.add(one))
        return FALSE


def _sargable(number: Decimal) -> Decimal | int:
    """Return a whole number as such: the indexes of whole numbers serve it."""
    return int(number) if number == number.to_integral_value() and abs(number) < 2**63 else number


def _pattern(written: str) -> str:
    """Return a LIKE as PostgreSQL takes it."""
    return "".join(map(_literally, language.pattern(written)))


def _literally(part: str | Wildcard) -> str:
    if isinstance(part, Wildcard):
        return part.value
    return f"\\{part}" if part in "%_\\" else part
