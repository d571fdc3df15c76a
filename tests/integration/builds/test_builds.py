"""Builds from source to layer and manifest, with the real commands."""

from tests.integration.builds.conftest import BOT, Builds
from tests.integration.builds.packages import Index, wheel


async def test_a_bundle_without_dependencies_is_inspected(builds: Builds) -> None:
    built = await builds.build({"bot.py": BOT})
    assert built.reason == "", built.message
    assert built.report.manifest is not None
    assert built.report.manifest["name"] == "Counter"
    assert built.report.manifest["machine"]["states"] == ["zero", "listen", "answer"]
    assert built.report.layer_digest == ""


async def test_requirements_are_installed_into_a_layer_that_the_code_can_import(builds: Builds, index: Index) -> None:
    index.user = ("nora", "s3cret")
    index.add(wheel("weather", "1.2", requires=("units>=2",)))
    index.add(wheel("units", "2.1"))
    source = {"bot.py": "import units, weather\n" + BOT, "requirements.txt": "weather\n"}
    built = await builds.build(source, "requirements.txt")
    assert built.reason == "", built.message
    assert built.report.packages == ("units==2.1", "weather==1.2")
    assert builds.store.has(built.report.layer_digest)
    assert "s3cret" not in built.log
