"""Holds what a bot did against what a step expects, and says how they differ."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from botyard.program import Output
from botyard.scenario.document import REST, Expectation
from botyard.scenario.values import UnknownValue, fill

ANSWERS = ("bot.message", "thread.message", "chat.complete")
"""Types of outputs that are answers."""
_MAX_LINES = 200


def compare(expected: Sequence[Expectation | str], got: Sequence[Output], values: dict[str, str]) -> list[str]:
    """Return what differs, as lines for people; none where all is as expected.

    Args:
        expected: The outputs in their order; the last one may be REST.
        got: What the bot sent.
        values: Known values; named groups of regular expressions are added.
    """
    rest = bool(expected) and expected[-1] == REST
    wanted = [each for each in expected if isinstance(each, Expectation)]
    problems: list[str] = []
    for number, (want, output) in enumerate(zip(wanted, got, strict=False), start=1):
        try:
            problems += [f"output {number}: {problem}" for problem in _differences(want, output, values)]
        except UnknownValue as error:
            problems.append(f"output {number}: {error}")
    if len(got) < len(wanted):
        problems.append(f"{len(wanted)} outputs were expected, {len(got)} came")
    elif len(got) > len(wanted) and not rest:
        problems.append(f'{len(wanted)} outputs were expected, {len(got)} came; write "..." last to allow more')
    if not problems:
        return []
    want_lines = [line for each in wanted for line in _expected_lines(each, values)] + ([REST] if rest else [])
    diff = difflib.unified_diff(
        want_lines, [line for each in got for line in output_lines(each)], "expected", "got", lineterm="", n=_MAX_LINES
    )
    return [*problems, "", *[line for line in diff if not line.startswith("@@")][:_MAX_LINES]]


def subset(want: Any, got: Any, where: str) -> list[str]:
    """Return where `got` lacks or differs from what `want` has; objects may hold more."""
    if isinstance(want, Mapping):
        if not isinstance(got, Mapping):
            return [f"{where} is {_short(got)}, an object was expected"]
        return [
            problem
            for key, value in want.items()
            for problem in (subset(value, got[key], f"{where}.{key}") if key in got else [f"{where} has no {key!r}"])
        ]
    return [] if want == got else [f"{where} is {_short(got)}, {_short(want)} was expected"]


def _differences(want: Expectation, output: Output, values: dict[str, str]) -> list[str]:
    data = output.data
    text = str(data.get("text", ""))
    wanted = ("thread.tool",) if want.tool is not None else ANSWERS if want.event is None else (want.event,)
    if output.type not in wanted:
        return [f"is a {output.type}, a {wanted[0]} was expected"]
    problems = []
    if want.tool is not None and data.get("tool") != want.tool:
        problems.append(f"is a call of {data.get('tool')}, one of {want.tool} was expected")
    if want.arguments is not None:
        problems += subset(fill(want.arguments, values), data.get("arguments"), "arguments")
    if want.text is not None and (exact := fill(want.text, values)) != text:
        problems.append(f"the text is {_short(text)}, {_short(exact)} was expected")
    problems += [
        f"the text {_short(text)} does not contain {_short(part)}"
        for part in fill(want.contains, values)
        if part not in text
    ]
    if want.regex is not None:
        problems += _searched(fill(want.regex, values, pattern=True), text, values)
    if want.kind is not None and data.get("kind") != want.kind:
        problems.append(f"is of kind {data.get('kind')!r}, {want.kind!r} was expected")
    if want.options is not None and (titles := _titles(data)) != (options := fill(want.options, values)):
        problems.append(f"the options are {_short(titles)}, {_short(options)} were expected")
    if want.data is not None:
        problems += subset(fill(want.data, values), data, "data")
    return problems


def _searched(pattern: str, text: str, values: dict[str, str]) -> list[str]:
    try:
        found = re.search(pattern, text)
    except re.error as error:
        return [f"{pattern!r} is no regular expression: {error}"]
    if found is None:
        return [f"{pattern!r} is not found in the text {_short(text)}"]
    values.update({name: value for name, value in found.groupdict().items() if value is not None})
    return []


def _expected_lines(want: Expectation, values: dict[str, str]) -> list[str]:
    def known(given: Any) -> Any:
        try:
            return fill(given, values)
        except UnknownValue:
            return given

    said = f"call of {want.tool}" if want.tool is not None else want.event or "answer"
    lines = [said if want.kind is None else f"{said} {want.kind}"]
    if want.arguments is not None:
        lines.append(f"    (arguments) {json.dumps(known(want.arguments), ensure_ascii=False)}")
    if want.text is not None:
        lines += [f"    {line}" for line in known(want.text).splitlines() or [""]]
    lines += [f"    (contains) {part}" for part in known(want.contains)]
    if want.regex is not None:
        lines.append(f"    (matches) {want.regex}")
    if want.options is not None:
        lines += [f"    [{title}]" for title in known(want.options)]
    if want.data is not None:
        lines.append(f"    (data) {json.dumps(known(want.data), ensure_ascii=False)}")
    return lines


def output_lines(output: Output) -> list[str]:
    """Return an output as lines for people."""
    data = output.data
    if output.type == "thread.tool":
        called = [f"call of {data['tool']}", f"    (arguments) {json.dumps(data['arguments'], ensure_ascii=False)}"]
        return called + [f"    {line}" for line in str(data.get("text", "")).splitlines() or [""]]
    if output.type not in ANSWERS:
        return [output.type, f"    (data) {json.dumps(data, ensure_ascii=False)}"]
    head = "answer" if data.get("kind") in (None, "text", "buttons", "list") else f"answer {data['kind']}"
    lines = [head, *[f"    {line}" for line in str(data.get("text", "")).splitlines() or [""]]]
    return lines + [f"    [{title}]" for title in _titles(data)]


def _titles(data: Mapping[str, Any]) -> list[str]:
    return [str(option.get("title", "")) for option in data.get("options", ())]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 300 else f"{text[:299]}…"
