"""Builds that cannot succeed: each ends with its reason, against the real commands."""

import pytest

from botyard.contract.build import BuildLimits
from tests.integration.builds.conftest import BOT, Builds
from tests.integration.builds.packages import Index, sdist, wheel

pytestmark = pytest.mark.timeout(600)
ONE = ("requirements.txt",)


async def test_a_requirements_file_that_is_not_there(builds: Builds) -> None:
    built = await builds.build({"bot.py": BOT}, "missing.txt")
    assert built.reason == "RequirementsInvalid"
    assert "missing.txt is not in the bundle" in built.message


@pytest.mark.parametrize(
    ("line", "reason", "said"),
    [
        ("nosuch==1", "DependencyNotFound", "nosuch"),
        ("weather==9", "DependencyNotFound", "weather==9"),
        ("weather\nunits<2", "DependencyConflict", "units"),
        ("weather==", "RequirementsInvalid", "weather=="),
        ("units==2.1 --hash=sha256:" + "0" * 64, "HashMismatch", "units"),
        ("broken", "DependencyBuildFailed", "broken"),
        ("pydantic<2", "DependencyConflict", "pydantic"),
    ],
    ids=["unknown", "no-version", "conflict", "unreadable", "hash", "setup-fails", "against-the-runtime"],
)
async def test_requirements_that_cannot_be_installed(
    builds: Builds, index: Index, line: str, reason: str, said: str
) -> None:
    index.add(wheel("weather", "1.2", requires=("units>=2",)))
    index.add(wheel("units", "2.1"))
    index.add(wheel("units", "1.0"))
    index.add(wheel("pydantic", "1.10"))
    index.add(sdist("broken", "1.0", "raise SystemExit('this package cannot be built')"))
    built = await builds.build({"bot.py": BOT, "requirements.txt": f"{line}\n"}, *ONE)
    assert built.reason == reason, built.message
    assert said in built.message
    assert built.report.failure is not None
    assert not built.report.failure.retryable
    assert "Failed" in built.log


async def test_an_index_that_refuses_the_credentials_is_named(builds: Builds, index: Index) -> None:
    index.add(wheel("units", "2.1"))
    index.user = ("nora", "right")
    index.given = ("nora", "wrong")
    built = await builds.build({"bot.py": BOT, "requirements.txt": "units\n"}, *ONE)
    assert built.reason == "IndexRefused", built.message
    assert "wrong" not in built.log + built.message


async def test_an_index_that_redirects_to_the_metadata_service_is_not_followed(builds: Builds, index: Index) -> None:
    index.redirect = "http://169.254.169.254/latest/meta-data/"
    built = await builds.build({"bot.py": BOT, "requirements.txt": "units\n"}, *ONE)
    assert built.reason == "IndexUnavailable", built.message
    assert built.report.failure is not None
    assert built.report.failure.retryable


HUNT = """
import glob, os
FOUND = []
for path in [*glob.glob("/proc/[0-9]*/environ"), *glob.glob("/proc/[0-9]*/cmdline")]:
    try:
        FOUND.append(open(path, errors="replace").read())
    except OSError:
        pass
FOUND = repr("".join(FOUND) + repr(dict(os.environ)))
"""


async def test_setup_code_finds_no_credential_of_the_index(builds: Builds, index: Index) -> None:
    index.user = ("nora", "the-index-password")
    index.add(sdist("nosy", "1.0", HUNT))
    built = await builds.build({"bot.py": BOT, "requirements.txt": "nosy\n"}, *ONE)
    assert built.reason == "", built.message
    found = (built.layer / "nosy.py").read_text()
    assert "SOURCE_DATE_EPOCH" in found, "the hunt saw its own environment"
    assert "the-index-password" not in found


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        ("def broken(:\n", "SyntaxError", "bot.py:1"),
        ("import nowhere\n" + BOT, "ImportFailed", "nowhere"),
        ("1 / 0\n" + BOT, "ImportFailed", "division by zero"),
        ("import os; os._exit(0)\n" + BOT, "InspectionFailed", "exit"),
        ("data = bytearray(3 << 30)\n" + BOT, "OutOfMemory", "load data later"),
        ("x = 1\n", "ModelUnknown", "no bot found"),
        ("import jb_manager_bot, flexus_client_kit\n", "ModelAmbiguous", "several programming models"),
    ],
    ids=["syntax", "missing-module", "raises", "exits", "memory", "no-bot", "two-models"],
)
async def test_code_that_cannot_be_inspected(builds: Builds, code: str, reason: str, said: str) -> None:
    built = await builds.build({"bot.py": code})
    assert built.reason == reason, built.message
    assert said in built.message


async def test_an_import_that_never_ends_is_ended(builds: Builds) -> None:
    built = await builds.build(
        {"bot.py": "while True: pass\n" + BOT}, limits=BuildLimits(install_seconds=60, inspect_seconds=3)
    )
    assert built.reason == "ImportTimedOut"


async def test_a_missing_module_that_an_unnamed_requirements_file_lists_is_explained(builds: Builds) -> None:
    built = await builds.build({"bot.py": "import weather\n" + BOT, "requirements.txt": "weather\n"})
    assert "Name requirements.txt in spec.dependencies.requirements" in built.message


async def test_a_layer_beyond_its_limit_is_refused(builds: Builds, index: Index) -> None:
    index.add(wheel("units", "2.1", code=f"DATA = {'x' * 20_000!r}\n"))
    limits = BuildLimits(install_seconds=120, inspect_seconds=120, layer_bytes=10_000)
    built = await builds.build({"bot.py": BOT, "requirements.txt": "units\n"}, *ONE, limits=limits)
    assert built.reason == "TooLarge", built.message
    assert built.report.layer_digest == ""
