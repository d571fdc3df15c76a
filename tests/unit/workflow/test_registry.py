"""What AGENTIC_BUNDLES_JSON may hold, and what becomes of it."""

import asyncio
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from botyard.workflow.errors import RegistryError
from botyard.workflow.git_settings import GitSettings, ssh_command
from kdcube_ai_app.infra.plugin import bundle_registry
from kdcube_ai_app.infra.plugin.bundle_registry import (
    BundleSpec,
    get_all,
    get_default_id,
    load_from_env,
    set_registry,
    upsert_bundles,
)
from kdcube_ai_app.infra.plugin.git_bundle import compute_git_bundle_paths

QUICKSTART = """{
  "default_bundle_id": "demo.hello",
  "bundles": {
    "demo.hello": {
      "id": "demo.hello",
      "name": "Hello Demo",
      "path": "/bundles/hello",    # host-mounted dir
      "module": "agentic_app",     # file inside that dir
      "singleton": false
    }
  }
}"""
FLAT = '{"demo.hello": {"id":"demo.hello","path":"/bundles/hello","module":"agentic_app","singleton":false}}'


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("HOST_BUNDLES_PATH", "AGENTIC_BUNDLES_ROOT", "AGENTIC_BUNDLES_JSON"):
        monkeypatch.delenv(name, raising=False)
    set_registry({})
    yield
    set_registry({})


def loaded(monkeypatch: pytest.MonkeyPatch, text: str) -> dict[str, BundleSpec]:
    monkeypatch.setenv("AGENTIC_BUNDLES_JSON", text)
    load_from_env()
    return get_all()


def resolve(name: str | None = None) -> Any:
    found = bundle_registry.resolve_bundle(name)
    return asyncio.run(found) if inspect.isawaitable(found) else found


@pytest.mark.parametrize("text", [QUICKSTART, FLAT], ids=["quickstart", "flat"])
def test_both_shapes(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    spec = loaded(monkeypatch, text)["demo.hello"]
    assert (spec.id, spec.path, spec.module, spec.singleton) == ("demo.hello", "/bundles/hello", "agentic_app", False)
    assert spec["path"] == "/bundles/hello"
    assert get_default_id() == "demo.hello"
    assert resolve() == resolve("demo.hello") == spec


def test_a_sign_of_a_comment_in_a_text_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"a": {"path": "/x#1", "name": "http://x \\" # y",},  // all\n}'
    spec = loaded(monkeypatch, text)["a"]
    assert (spec.path, spec.name) == ("/x#1", 'http://x " # y')


def test_without_a_default_the_first_is_it(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(monkeypatch, '{"bundles": {"one": {"path": "/1"}, "two": {"path": "/2"}}}')
    assert get_default_id() == "one"


def test_a_bundle_from_git_and_the_other_names_of_its_members(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """{"demo.git": {
      "git_repo": "https://github.com/org/my-bundle.git", "git_ref": "main", "git_subdir": "bundle",
      "bundle_version": "abc", "bundle_commit": "def", "module": "my_bundle.entrypoint", "path": "/elsewhere"
    }}"""
    spec = loaded(monkeypatch, text)["demo.git"]
    assert spec.git_url == "https://github.com/org/my-bundle.git"
    assert (spec.version, spec.git_commit) == ("abc", "def")
    assert spec.path == "/bundles/demo.git__main/bundle"


@pytest.mark.parametrize(
    ("ref", "subdir", "path"),
    [
        ("main", "bundle", "demo.git__main/bundle"),
        ("main", None, "demo.git__main"),
        (None, "bundle/inner", "demo.git/bundle/inner"),
        (None, None, "demo.git"),
        ("feature/new ui", None, "demo.git__feature-new-ui"),
        ("--", None, "demo.git__head"),
        ("v1.2_rc-1", None, "demo.git__v1.2_rc-1"),
    ],
)
def test_the_path_of_a_bundle_from_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ref: str | None, subdir: str | None, path: str
) -> None:
    given = {"bundle_id": "demo.git", "git_url": "https://x/y.git", "git_ref": ref, "git_subdir": subdir}
    assert compute_git_bundle_paths(**given, bundles_root=tmp_path).bundle_root == tmp_path / path
    monkeypatch.setenv("AGENTIC_BUNDLES_ROOT", "/agentic")
    assert compute_git_bundle_paths(**given).bundle_root == Path("/agentic") / path
    monkeypatch.setenv("HOST_BUNDLES_PATH", "/host")
    assert compute_git_bundle_paths(**given).bundle_root == Path("/host") / path


def test_a_path_never_leads_out_of_the_root(tmp_path: Path) -> None:
    paths = compute_git_bundle_paths(bundle_id="../../etc", git_url="u", git_ref="../..", bundles_root=tmp_path)
    assert paths.repo_root.parent == tmp_path
    for subdir in ("..", "a/../../b", "/etc"):
        with pytest.raises(RuntimeError, match="leads out of the repository"):
            compute_git_bundle_paths(bundle_id="x", git_url="u", git_subdir=subdir, bundles_root=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "must be an object"),
        ('{"a": 1}', "bundle 'a': write an object"),
        ('{"a": {}}', "bundle 'a' says neither path nor git_url"),
        ('{"a": {"path": ["x"]}}', "bundle 'a': path must be a text"),
        ('{"default_bundle_id": "b", "bundles": {"a": {"path": "/x"}}}', "'b' is not among the bundles: a"),
    ],
)
def test_what_is_no_registry_leaves_the_former_one(monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    before = loaded(monkeypatch, FLAT)
    with pytest.raises(RegistryError, match=message):
        loaded(monkeypatch, text)
    assert get_all() == before


def test_a_file_may_hold_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bundles.json").write_text(QUICKSTART)
    assert list(loaded(monkeypatch, str(tmp_path / "bundles.json"))) == ["demo.hello"]


def test_no_other_bundle_answers_for_one_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(monkeypatch, FLAT)
    assert resolve("demo.other") is None


def test_bundles_are_added_replaced_and_set() -> None:
    set_registry({"a": {"path": "/a"}, "b": {"path": "/b"}}, "b")
    upsert_bundles({"c": {"path": "/c"}, "a": BundleSpec(id="a", path="/new")})
    assert {name: spec.path for name, spec in get_all().items()} == {"a": "/new", "b": "/b", "c": "/c"}
    assert get_default_id() == "b"
    upsert_bundles({"default_bundle_id": "c", "bundles": {"c": {"path": "/c"}}})
    assert get_default_id() == "c"
    set_registry({"d": json.loads('{"path": "/d", "singleton": "true"}')})
    assert list(get_all()) == ["d"]
    assert get_all()["d"].singleton
    assert get_default_id() == "d"


def test_settings_of_git() -> None:
    assert GitSettings.from_env({}) == GitSettings(Path("/bundles"), None, False, True, 3, 0.0)
    env = {"BUNDLE_GIT_SHALLOW": "1", "BUNDLE_GIT_ALWAYS_PULL": "1", "BUNDLE_GIT_ATOMIC": "0", "BUNDLE_GIT_KEEP": "5"}
    found = GitSettings.from_env(env | {"BUNDLE_GIT_TTL_HOURS": "1.5"})
    assert (found.depth, found.always_pull, found.atomic, found.keep, found.ttl_hours) == (50, True, False, 5, 1.5)
    assert GitSettings.from_env(env | {"BUNDLE_GIT_CLONE_DEPTH": "7"}).depth == 7
    assert GitSettings.from_env({"BUNDLE_GIT_CLONE_DEPTH": "many", "BUNDLE_GIT_KEEP": "x"}).keep == 3


def test_the_command_of_ssh() -> None:
    assert ssh_command({}) is None
    key = {"GIT_SSH_KEY_PATH": "/secrets/id rsa", "GIT_SSH_KNOWN_HOSTS": "/secrets/known_hosts"}
    assert ssh_command(key | {"GIT_SSH_STRICT_HOST_KEY_CHECKING": "yes"}) == (
        "ssh -o BatchMode=yes -i '/secrets/id rsa' -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes "
        "-o UserKnownHostsFile=/secrets/known_hosts"
    )
