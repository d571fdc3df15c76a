"""What a run of scenarios says: for people, and as JUnit XML for continuous integration."""

import json
import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any
from xml.etree import ElementTree as ET

from botyard.scenario.judge import Judging
from botyard.scenario.runner import Result

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_PRINTED = 20_000


def text(result: Result) -> str:
    """Return one result as lines."""
    name = result.scenario.scenario
    if result.passed:
        rated = f", rated {result.judgement.rating:g}" if result.judgement is not None else ""
        return f"ok    {name} ({result.seconds:.2f} s{rated})"
    step = f", step `{result.step.title()}`" if result.step is not None else ""
    lines = [f"FAIL  {name}", f"  {result.file}:{result.line}{step}"]
    lines += [f"    {line}".rstrip() for line in result.problems]
    if result.printed:
        lines += ["  printed by the bot:"]
        lines += [f"    {line}" for line in result.printed[-_MAX_PRINTED:].splitlines()]
    return "\n".join(lines)


def summary(results: Sequence[Result], judging: Judging | None = None) -> str:
    """Return the last line."""
    cost = f", {judging.purse.spent} coins for the judge" if judging is not None else ""
    failed = sum(not result.passed for result in results)
    seconds = sum(result.seconds for result in results)
    return f"{len(results) - failed} passed, {failed} failed ({seconds:.2f} s{cost})"


def as_json(results: Sequence[Result], judging: Judging | None = None) -> str:
    """Return the results as JSON; docs/scenarios.md has its form."""
    failed = sum(not result.passed for result in results)
    told: dict[str, Any] = {
        "passed": len(results) - failed,
        "failed": failed,
        "seconds": round(sum(result.seconds for result in results), 3),
        "scenarios": [_record(result) for result in results],
    }
    if judging is not None:
        purse = judging.purse
        told["judge"] = {"model": judging.model, "calls": purse.calls, "coins": purse.spent, "budget": purse.budget}
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def _record(result: Result) -> dict[str, Any]:
    judgement = result.judgement
    return {
        "name": result.scenario.scenario,
        "file": str(result.file),
        "line": result.line,
        "passed": result.passed,
        "seconds": round(result.seconds, 3),
        "step": None if result.step is None else result.step.title(),
        "problems": result.problems,
        "printed": result.printed[-_MAX_PRINTED:],
        "judgement": None
        if judgement is None
        else {"rating": judgement.rating, "feedback": judgement.feedback, "criticism": list(judgement.criticism)},
    }


def junit(results: Iterable[Result]) -> str:
    """Return the results as JUnit XML: a suite for each file."""
    root = ET.Element("testsuites", name="botyard scenario")
    for file, grouped in groupby(results, key=lambda result: result.file):
        members = list(grouped)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=str(file),
            tests=str(len(members)),
            failures=str(sum(not each.passed for each in members)),
            errors="0",
            time=f"{sum(each.seconds for each in members):.3f}",
        )
        for each in members:
            case = ET.SubElement(
                suite,
                "testcase",
                name=_clean(each.scenario.scenario),
                classname=file.stem,
                file=str(file),
                line=str(each.line),
                time=f"{each.seconds:.3f}",
            )
            if not each.passed:
                failure = ET.SubElement(case, "failure", message=_clean(each.problems[0]))
                failure.text = _clean("\n".join(each.problems))
            if each.printed:
                ET.SubElement(case, "system-out").text = _clean(each.printed[-_MAX_PRINTED:])
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _clean(given: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", given)
