"""`botyard import` turns a registry of workflow bundles into manifests that the operator takes."""

import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from botyard.cli import main
from botyard_operator.api.bot import Bot
from botyard_operator.api.bundle import Bundle

REGISTRY = """{
  "default_bundle_id": "demo.git",
  "bundles": {
    "demo.hello": {"path": "%s", "module": "agentic_app"},   # a folder
    "demo.git": {
      "git_url": "https://s3cret@git.example.com/org/my-bundle.git",
      "git_ref": "v1.2", "git_subdir": "bundle", "module": "my_bundle.entrypoint", "singleton": true
    },
    "demo.ssh": {"git_url": "git@git.example.com:org/other.git", "git_ref": "release/2"},
    "demo.pin": {"git_repo": "https://git.example.com/x.git", "git_ref": "%s"}
  }
}"""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    (tmp_path / "hello").mkdir()
    (tmp_path / "hello" / "agentic_app.py").write_text("A = 1\nB = 2\n")
    path = tmp_path / "bundles.json"
    path.write_text(REGISTRY % (tmp_path / "hello", COMMIT))
    return path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[tuple[str, str], Any], str]:
    code = main.main(["import", *argv])
    out, err = capsys.readouterr()
    documents = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(out) if each}
    return code, documents, err


def test_each_bundle_becomes_a_bundle_and_a_bot(registry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, documents, notes = run(capsys, str(registry), "--namespace", "shop")
    assert code == 0
    for kind, name in documents:
        document = documents[(kind, name)]
        if kind == "Bundle":
            assert Bundle.parse(document).spec.entrypoint.model == "workflow"
        elif kind == "Bot":
            assert Bot.parse(document).spec.bundle_ref.name == name
    git = documents[("Bundle", "demo-git")]
    assert git["metadata"]["annotations"] == {"botyard.dev/bundle-id": "demo.git"}
    assert git["spec"]["git"] == {
        "url": "https://git.example.com/org/my-bundle.git",
        "ref": {"tag": "v1.2"},
        "secretRef": {"name": "demo-git-git"},
    }
    assert git["spec"]["path"] == "bundle"
    assert git["spec"]["entrypoint"]["module"] == "my_bundle.entrypoint"
    assert documents[("Bundle", "demo-ssh")]["spec"]["git"]["ref"] == {"branch": "release/2"}
    assert documents[("Bundle", "demo-pin")]["spec"]["git"]["ref"] == {"commit": COMMIT}
    assert documents[("Bundle", "demo-hello")]["spec"]["inline"] == {"files": {"agentic_app.py": "A = 1\nB = 2\n"}}
    assert [name for (kind, name), each in documents.items() if kind == "Bot" and each["spec"].get("default")] == [
        "demo-git"
    ]
    for note in (
        "taken for a tag",
        "identity",
        "@agentic_workflow(singleton=True)",
        "later changes there do not follow",
    ):
        assert note in notes


def test_credentials_are_printed_only_when_asked_for(registry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, documents, notes = run(capsys, str(registry))
    assert code == 0
    assert "s3cret" not in yaml.safe_dump(list(documents.values())) + notes
    assert documents[("Secret", "demo-git-git")]["stringData"]["password"] == "REPLACE-ME"
    _, documents, _ = run(capsys, str(registry), "--with-secrets")
    assert documents[("Secret", "demo-git-git")]["stringData"] == {"username": "x-access-token", "password": "s3cret"}


def test_it_comes_from_the_environment_or_standard_input(
    registry: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '{"a": {"git_url": "https://x.example.com/y.git"}}'
    monkeypatch.setenv("AGENTIC_BUNDLES_JSON", text)
    assert ("Bot", "a") in run(capsys)[1]
    assert ("Bot", "a") in run(capsys, "AGENTIC_BUNDLES_JSON")[1]
    assert ("Bot", "a") in run(capsys, text)[1]
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert ("Bot", "a") in run(capsys, "-")[1]
    monkeypatch.setenv("AGENTIC_BUNDLES_JSON", str(registry))
    assert ("Bot", "demo-git") in run(capsys)[1]


def test_what_cannot_be_taken_over_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.whl").write_bytes(b"PK")
    text = f"""{{
      "gone": {{"path": "/nowhere/at/all"}}, "wheel": {{"path": "{tmp_path}/x.whl", "module": "x"}},
      "a.b": {{"git_url": "https://x.example.com/y.git"}}, "a-b": {{"git_url": "https://x.example.com/z.git"}}
    }}"""
    code, documents, notes = run(capsys, text)
    assert code == 1
    assert sorted(documents) == [("Bot", "a-b"), ("Bundle", "a-b")]
    for problem in ("'gone': there is no", "'wheel': x.whl is an archive", "'a-b': no Bot can be named after it"):
        assert problem in notes


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "/nowhere/bundles.json"])
def test_what_is_no_registry(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["import", text]) == 2
    assert capsys.readouterr().err.startswith("botyard: import: ")
