"""Builds from source to layer and manifest, with the real commands."""

import marshal

from tests.integration.builds.conftest import BOT, Builds
from tests.integration.builds.packages import Index, sdist, wheel


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


async def test_a_push_of_code_alone_installs_nothing(builds: Builds, index: Index) -> None:
    index.add(wheel("units", "2.1"))
    files: dict[str, str | bytes] = {"bot.py": "import units\n" + BOT, "requirements.txt": "units\n"}
    first = await builds.build(files, "requirements.txt")
    index.asked.clear()
    second = await builds.build({**files, "bot.py": "import units\n# changed\n" + BOT}, "requirements.txt")
    assert second.reason == "", second.message
    assert second.report.layer_digest == first.report.layer_digest
    assert index.asked == []


async def test_layers_are_not_shared_with_other_namespaces(builds: Builds, index: Index) -> None:
    index.add(wheel("units", "2.1"))
    files: dict[str, str | bytes] = {"bot.py": BOT, "requirements.txt": "units\n"}
    await builds.build(files, "requirements.txt")
    index.asked.clear()
    await builds.build(files, "requirements.txt", namespace="elsewhere")
    assert index.asked


async def test_locks_with_hashes_wheels_in_the_source_and_pyproject(builds: Builds, index: Index) -> None:
    digest = index.add(wheel("units", "2.1"))
    index.add(wheel("weather", "1.2"))
    name, content = wheel("own", "0.1")
    built = await builds.build(
        {
            "bot.py": "import own, units, weather\n" + BOT,
            "requirements.lock": f"units==2.1 --hash=sha256:{digest}\n",
            "pyproject.toml": '[project]\nname = "bot"\nversion = "0.3"\ndependencies = ["weather"]\n',
            "own.txt": f"./wheels/{name}\n",
            f"wheels/{name}": content,
        },
        "requirements.lock",
        "pyproject.toml",
        "own.txt",
    )
    assert built.reason == "", built.message
    assert built.report.packages == ("own==0.1", "units==2.1", "weather==1.2")


async def test_the_platform_itself_is_never_installed(builds: Builds) -> None:
    built = await builds.build({"bot.py": BOT, "requirements.txt": "jb-manager-bot==1\nbotyard\n"}, "requirements.txt")
    assert built.reason == "", built.message
    assert built.report.packages == ()


async def test_equal_packages_are_equal_layers_whenever_and_wherever_they_are_installed(
    builds: Builds, index: Index
) -> None:
    code = 'KNOWN = frozenset({"metre", "second", "gram"})\n\n\ndef knows(unit):\n    return unit in {"m", "s", "g"}\n'
    index.add(wheel("units", "2.1", code))
    name, content = wheel("own", "0.1", code)
    source_name, source = sdist("built", "0.3", f"FOUND = {code!r}")
    files: dict[str, str | bytes] = {
        "bot.py": "import own, units\n" + BOT,
        "requirements.txt": f"units\n./own/{name}\n./own/{source_name}\n",
        f"own/{name}": content,
        f"own/{source_name}": source,
    }
    first = await builds.build(files, "requirements.txt")
    # Elsewhere nothing is shared: it is installed again, by another process in another folder.
    second = await builds.build(files, "requirements.txt", namespace="elsewhere")
    assert first.reason == second.reason == "", second.message
    assert first.report.packages == ("built==0.3", "own==0.1", "units==2.1")
    compiled = [path.relative_to(first.layer) for path in sorted(first.layer.rglob("*.pyc"))]
    assert [path.name.partition(".")[0] for path in compiled] == ["built", "own", "units"]
    assert first.report.layer_digest == second.report.layer_digest
    told = {marshal.loads((first.layer / path).read_bytes()[16:]).co_filename for path in compiled}
    assert told == {"/layer/built.py", "/layer/own.py", "/layer/units.py"}
