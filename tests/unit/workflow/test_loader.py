"""Where a bundle's workflow is found, and whose code runs."""

import importlib
import os
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from botyard.workflow import importing
from botyard.workflow.configuration import Config
from botyard.workflow.loader import (
    AgenticBundleSpec,
    clear_agentic_caches,
    evict_inactive_specs,
    get_workflow_instance,
    load_bundle,
)
from tests.unit.workflow.host import HEAD, task

WORKFLOW = HEAD + "\n@agentic_workflow(name='x')\nclass W(BaseEntrypoint):\n"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    before = list(sys.path)
    yield
    clear_agentic_caches()
    assert sys.path == before


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / (name.replace("__", "/").replace("/init", "/__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def says(text: str) -> str:
    return WORKFLOW + f"    def say(self):\n        return {text}\n"


def instance(path: Path, module: str | None = None, **spec: Any) -> Any:
    return get_workflow_instance(AgenticBundleSpec(path=str(path), module=module, **spec), Config())[0]


def test_a_module_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "b", agentic_app="import helper\n" + says("helper.WHO"), helper="WHO = 'folder'")
    assert instance(tmp_path / "b", "agentic_app").say() == "folder"


def test_a_folder_that_is_a_package(tmp_path: Path) -> None:
    write(tmp_path / "b", flow="from .helper import WHO\n" + says("WHO"), helper="WHO = 'package'")
    (tmp_path / "b" / "__init__.py").write_text("from .flow import W\n")
    assert instance(tmp_path / "b").say() == "package"


def test_a_folder_with_a_hyphen(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "my-bundle-2", flow="from my_bundle_2.helper import WHO\n" + says("WHO"), helper="WHO = 'hyphen'"
    )
    (folder / "__init__.py").write_text("from .flow import W\n")
    assert instance(folder).say() == "hyphen"
    assert instance(folder, "flow").say() == "hyphen"


def test_relative_imports_of_a_module_in_the_folder(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "b", entrypoint="from .tools.search import WHO\n" + says("WHO"), tools__search="WHO = 'relative'"
    )
    assert instance(folder, "entrypoint").say() == "relative"


@pytest.mark.parametrize("name", ["react@2026-02-10-02-44", "react@2026.02.10", "react-v1.2"])
def test_a_folder_whose_name_is_no_identifier(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, entrypoint="from .tools.search import WHO\n" + says("WHO"), tools__search="WHO = 'odd'")
    assert instance(tmp_path, f"{name}.entrypoint").say() == "odd"
    assert instance(tmp_path / name, "entrypoint").say() == "odd"
    assert instance(tmp_path / name, f"{name}.entrypoint").say() == "odd"


def test_a_single_file(tmp_path: Path) -> None:
    path = write(tmp_path, solo=says("'single'")) / "solo.py"
    assert instance(path).say() == "single"
    assert instance(path, "ignored").say() == "single"


@pytest.mark.parametrize("suffix", ["zip", "whl"])
def test_an_archive(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"my_bundle-1.0.0-py3-none-any.{suffix}"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("my_bundle/__init__.py", "")
        archive.writestr("my_bundle/helper.py", "WHO = 'archive'")
        archive.writestr(
            "my_bundle/entrypoint.py",
            "from .helper import WHO\nfrom my_bundle.helper import WHO as AGAIN\n" + says("WHO + AGAIN"),
        )
    assert instance(path, "my_bundle.entrypoint").say() == "archivearchive"
    with pytest.raises(ImportError, match="name the module"):
        instance(path)
    with pytest.raises(ModuleNotFoundError):
        instance(path, "my_bundle.nothing")


def test_files_beside_a_module_can_be_read(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "b", app="from pathlib import Path\n" + says("(Path(__file__).parent / 'prompt.txt').read_text()")
    )
    (folder / "prompt.txt").write_text("Be kind.")
    assert instance(folder, "app").say() == "Be kind."


def test_resources_of_a_package_can_be_read(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "b",
        app="from importlib.resources import files\nfrom . import data\n"
        + says("files(data).joinpath('p.txt').read_text()"),
        data__init="",
    )
    (folder / "data" / "p.txt").write_text("resource")
    assert instance(folder, "app").say() == "resource"


def test_dataclasses_pydantic_and_pickles_of_a_bundle_work(tmp_path: Path) -> None:
    code = """
    from __future__ import annotations
    import pickle
    from dataclasses import dataclass
    from pydantic import BaseModel

    @dataclass
    class Point:
        x: int

    class Model(BaseModel):
        points: list[Inner]

    class Inner(BaseModel):
        y: int = 2

    Model.model_rebuild()
    """
    folder = write(
        tmp_path / "b",
        app=dedent(code) + says("(pickle.loads(pickle.dumps(Point(1))).x, Model(points=[{}]).points[0].y)"),
    )
    assert instance(folder, "app").say() == (1, 2)


def test_the_highest_priority_wins(tmp_path: Path) -> None:
    code = HEAD + dedent("""
    @agentic_workflow(name="low", priority=10)
    class Low(BaseEntrypoint): ...

    @agentic_workflow(name="high", priority=200)
    class High(BaseEntrypoint): ...

    @agentic_workflow(name="middle")
    class Middle(BaseEntrypoint): ...
    """)
    assert type(instance(write(tmp_path / "b", app=code), "app")).__name__ == "High"


def test_a_tie_is_decided_by_name_and_a_factory_comes_first(tmp_path: Path) -> None:
    classes = HEAD + dedent("""
    @agentic_workflow(name="b")
    class Beta(BaseEntrypoint): ...

    @agentic_workflow(name="a")
    class Alpha(BaseEntrypoint): ...
    """)
    factory = classes + dedent("""
    from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow_factory

    @agentic_workflow_factory(name="f", version="1", priority=100, singleton=False)
    def make(config, comm_context=None):
        made = Alpha(config, comm_context=comm_context)
        made.by = "factory"
        return made
    """)
    assert type(instance(write(tmp_path / "one", app=classes), "app")).__name__ == "Beta"
    assert instance(write(tmp_path / "two", app=factory), "app").by == "factory"


def test_what_a_module_imports_counts(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", app="from .flow import W\n", flow=says("'imported'"))
    assert instance(folder, "app").say() == "imported"


def test_a_workflow_gets_what_it_names(tmp_path: Path) -> None:
    code = HEAD + dedent("""
    @agentic_workflow(name="w")
    class W:
        def __init__(self, config, redis=None):
            self.got = (config, redis)
    """)
    config = Config()
    spec = AgenticBundleSpec(path=str(write(tmp_path / "b", app=code)), module="app")
    made, module = get_workflow_instance(spec, config, comm_context=task(), pg_pool="pg", redis="redis")
    assert made.got == (config, "redis")
    assert module.W is type(made)


def test_a_workflow_that_takes_everything_gets_everything(tmp_path: Path) -> None:
    code = HEAD + dedent("""
    @agentic_workflow(name="w")
    class W(BaseEntrypoint):
        def __init__(self, config, **kw):
            super().__init__(config, **kw)
    """)
    spec = AgenticBundleSpec(path=str(write(tmp_path / "b", app=code)), module="app")
    made, _ = get_workflow_instance(spec, Config(), comm_context=task())
    assert made.comm_context.user.user_id == "u1"


def test_nothing_marked(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", app="class W: ...")
    with pytest.raises(AttributeError, match="No decorated workflow found in module"):
        instance(folder, "app")


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        instance(tmp_path / "nowhere", "app")
    with pytest.raises(FileNotFoundError):
        instance(tmp_path / "nowhere.py")


def test_a_module_that_does_not_exist(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", app=says("1"))
    with pytest.raises(ImportError, match="holds no module 'nothing'"):
        instance(folder, "nothing")
    with pytest.raises(ImportError, match="no __init__"):
        instance(folder)


def test_an_error_of_the_bundles_code_is_its_own(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", app="import not_installed_here\n")
    with pytest.raises(ModuleNotFoundError, match="not_installed_here"):
        instance(folder, "app")
    write(folder, app=says("'mended'"))
    assert instance(folder, "app").say() == "mended"


def test_a_decorator_without_parentheses_says_so(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", app=HEAD + "@agentic_workflow\nclass W(BaseEntrypoint): ...\n")
    with pytest.raises(TypeError, match="parentheses"):
        instance(folder, "app")


def test_two_bundles_with_one_module_name_run_their_own_code(tmp_path: Path) -> None:
    late = (
        WORKFLOW
        + "    def say(self):\n        import helper\n        from tools import who\n        return helper.WHO + who()"
    )
    for name in ("a", "b"):
        write(
            tmp_path / name,
            app="import helper\n" + late,
            helper=f"WHO = '{name}'",
            tools__init="from tools.inner import who",
            tools__inner=f"def who(): return '{name}'",
        )
    first, second = instance(tmp_path / "a", "app"), instance(tmp_path / "b", "app")
    assert (first.say(), second.say(), first.say()) == ("aa", "bb", "aa")
    assert "helper" not in sys.modules


def test_a_bundle_cannot_take_the_place_of_the_standard_library_or_the_platform(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "b",
        app="import json, kdcube_ai_app\n" + says("(json.dumps(1), kdcube_ai_app.__file__)"),
        json="dumps = None",
        kdcube_ai_app="X = 1",
    )
    dumped, where = instance(folder, "app").say()
    assert dumped == "1"
    assert "runtime-image" in where or "site-packages" in where


def test_a_process_for_one_bundle_knows_its_modules_by_their_own_names(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", app="import only_helper\n" + says("only_helper"), only_helper="SEEN = []")
    spec = AgenticBundleSpec(path=str(folder), module="app")
    helper = get_workflow_instance(spec, Config())[0].say()
    importing.serve_only(load_bundle(spec).package)
    try:
        assert importlib.import_module("only_helper") is helper
        assert helper.__spec__.name == helper.__name__
    finally:
        importing.serve_only("")
        sys.modules.pop("only_helper", None)


def test_after_an_update_the_new_code_runs(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", app="from . import helper\n" + says("helper.WHO"), helper="WHO = 'v1'")
    old = instance(folder, "app")
    assert old.say() == "v1"
    write(folder, helper="WHO = 'v2'")
    assert instance(folder, "app").say() == "v1"
    clear_agentic_caches()
    assert instance(folder, "app").say() == "v2"
    assert old.say() == "v1"


def test_after_an_update_in_the_same_second_bytecode_is_not_trusted(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", app="import helper\n" + says("helper.WHO"), helper="WHO = 'v1'")
    assert instance(folder, "app").say() == "v1"
    stamp = (folder / "helper.py").stat()
    write(folder, helper="WHO = 'v2'")
    os.utime(folder / "helper.py", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    clear_agentic_caches()
    assert instance(folder, "app").say() == "v2"


def test_an_update_under_another_path_runs_its_own_code(tmp_path: Path) -> None:
    write(tmp_path / "b__1", app="import helper\n" + says("helper.WHO"), helper="WHO = 'v1'")
    shutil.copytree(tmp_path / "b__1", tmp_path / "b__2")
    write(tmp_path / "b__2", helper="WHO = 'v2'")
    old = instance(tmp_path / "b__1", "app")
    new = instance(tmp_path / "b__2", "app")
    assert (old.say(), new.say()) == ("v1", "v2")


def test_what_is_not_active_is_evicted_with_its_modules(tmp_path: Path) -> None:
    specs = [
        AgenticBundleSpec(path=str(write(tmp_path / name, app=says(f"'{name}'"))), module="app", singleton=True)
        for name in ("a", "b")
    ]
    packages = [load_bundle(spec).package for spec in specs]
    kept = get_workflow_instance(specs[0], Config())[0]
    gone = get_workflow_instance(specs[1], Config())[0]
    evict_inactive_specs(active_specs=[specs[0]], drop_sys_modules=True)
    assert get_workflow_instance(specs[0], Config())[0] is kept
    assert get_workflow_instance(specs[1], Config())[0] is not gone
    assert packages[0] in sys.modules
    assert packages[1] not in sys.modules


def test_a_singleton_serves_each_request_with_its_own_communicator(tmp_path: Path) -> None:
    spec = AgenticBundleSpec(
        path=str(write(tmp_path / "b", app=says("self.comm_context.user.user_id"))), module="app", singleton=True
    )
    alice = task(user={"user_type": "registered", "user_id": "alice"})
    bob = task(user={"user_type": "registered", "user_id": "bob"})
    first, _ = get_workflow_instance(spec, Config(), comm_context=alice)
    first_comm = first.comm
    second, _ = get_workflow_instance(spec, Config(), comm_context=bob)
    assert first is second
    assert second.say() == "bob"
    assert (first_comm.user_id, second.comm.user_id) == ("alice", "bob")


def test_without_singleton_each_request_has_its_own_instance(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", app=says("1"))
    assert instance(folder, "app") is not instance(folder, "app")


def test_the_decorator_may_ask_for_a_singleton(tmp_path: Path) -> None:
    code = HEAD + "@agentic_workflow(name='w', version='1', priority=1, singleton=True)\nclass W(BaseEntrypoint): ...\n"
    folder = write(tmp_path / "b", app=code)
    assert instance(folder, "app") is instance(folder, "app")


def test_a_singleton_that_derives_from_nothing_gets_each_request(tmp_path: Path) -> None:
    code = HEAD + dedent("""
    @agentic_workflow(name="w", singleton=True)
    class W:
        def __init__(self, config, comm_context):
            self.comm_context = comm_context
    """)
    spec = AgenticBundleSpec(path=str(write(tmp_path / "b", app=code)), module="app")
    get_workflow_instance(spec, Config(), comm_context="alice")
    assert get_workflow_instance(spec, Config(), comm_context="bob")[0].comm_context == "bob"
