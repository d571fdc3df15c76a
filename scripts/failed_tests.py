"""Prints the tests that failed in a JUnit report of pytest, one for each line, as pytest takes them.

Usage: ``failed_tests.py REPORT.xml``. Ends with 1 where the report is missing, cannot be read, or tells of a
failure that belongs to no test (a module that could not be imported).
"""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def failed_tests(report: Path) -> list[str]:
    """Node ids of the failed and broken tests in a report of family ``xunit1``, whose cases name their file.

    Args:
        report: The XML file.

    Raises:
        OSError: There is no such file.
        ValueError: It is not such a report, or a failure has no test.
    """
    try:
        cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 - our own pytest wrote it
    except ET.ParseError as error:
        raise ValueError(f"{report} is not a report: {error}") from error
    return sorted(
        {_node_id(case) for case in cases if case.find("failure") is not None or case.find("error") is not None}
    )


def _node_id(case: ET.Element) -> str:
    file, owner, name = case.get("file"), case.get("classname", ""), case.get("name")
    # A module that cannot be imported is a case without an owner.
    if not file or not name or not owner:
        raise ValueError(f"a failure belongs to no test: {case.attrib}")
    module = file.removesuffix(".py").replace("/", ".")
    within = owner.removeprefix(module).strip(".").split(".") if owner.startswith(module) else []
    return "::".join([file, *(part for part in within if part), name])


if __name__ == "__main__":
    try:
        print(*failed_tests(Path(sys.argv[1])), sep="\n", end="")
    except (OSError, ValueError) as problem:
        print(problem, file=sys.stderr)
        sys.exit(1)
