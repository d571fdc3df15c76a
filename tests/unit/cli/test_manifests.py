"""`botyard validate` and `botyard render`: manifests without a cluster."""

import importlib.metadata
import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from botyard.cli import main as cli

EXAMPLES = Path(__file__).parents[3] / "examples"
BOT = """\
apiVersion: botyard.dev/v1alpha1
kind: Bot
metadata: {name: clerk, namespace: shop}
spec:
  bundleRef: {name: clerk}
  replicas: 2
  credentials:
  - {name: KEY, secretKeyRef: {name: pay, key: token}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bot.yaml"


def rendered(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[dict[str, Any], str]:
    """Return what `botyard render` prints, by kind and name, and what it says beside."""
    assert cli.main(["render", *argv]) == 0
    printed = capsys.readouterr()
    objects = list(yaml.safe_load_all(printed.out))
    return {f"{obj['kind']}/{obj['metadata']['name']}": obj for obj in objects}, printed.err


class TestValidate:
    def test_the_examples_are_valid(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["validate", "-f", str(EXAMPLES)]) == 0
        assert capsys.readouterr().err == ""

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (("bundleRef: {", "bundelRef: {"), ":5: Bot shop/clerk: spec.bundelRef: is no field there; did you mean b"),
            (("replicas: 2", "replicas: two"), ":6: Bot shop/clerk: spec.replicas: is 'two'; write a whole number"),
            (("key: token", "kee: token"), ":8: Bot shop/clerk: spec.credentials[0].secretKeyRef.kee: is no field"),
            (("name: clerk, ", "name: Clerk, "), ":3: Bot shop/Clerk: metadata.name: is 'Clerk'"),
            (("v1alpha1", "v2"), ":1: Bot shop/clerk: apiVersion: is 'botyard.dev/v2'; write botyard.dev/v1alpha1"),
            (("kind: Bot", "kind: Robot"), ":2: Robot shop/clerk: kind: is 'Robot'; write one of Bundle, Bot, Persona"),
            (("spec:", "replicas: 1\nspec:"), ":4: Bot shop/clerk: replicas: is no field of a Bot"),
            (
                ("  replicas: 2", "  rollout: {ramp: [10, 50]}"),
                "spec.rollout.ramp: write ramp as rising",
            ),
        ],
    )
    def test_a_mistake_is_told_with_file_line_and_field(
        self, file: Path, change: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file.write_text(BOT.replace(*change, 1))
        assert cli.main(["validate", "-f", str(file)]) == 1
        assert message in capsys.readouterr().err

    def test_all_mistakes_of_all_documents_are_told(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        second = BOT.replace("clerk", "other").replace("replicas: 2", "replicas: -1")
        file.write_text(BOT.replace("replicas: 2", "suspend: maybe") + "---\n" + second)
        assert cli.main(["validate", "-f", str(file)]) == 1
        err = capsys.readouterr().err
        assert ":6: Bot shop/clerk: spec.suspend" in err
        assert ":15: Bot shop/other: spec.replicas" in err

    def test_one_object_twice_is_a_mistake(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file.write_text(BOT + "---\n" + BOT)
        assert cli.main(["validate", "-f", str(file)]) == 1
        assert f"another object of this kind, at {file}:3" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a: {b", ":1: is not YAML"),
            ("kind: Bot\nkind: Bot\n", ":2: is not YAML: the field kind is written twice"),
            ("- 1\n", ":1: an object is expected"),
            ("a: !!python/object:os.system {}\n", "is not YAML"),
            ("", "no object of botyard.dev"),
            ("apiVersion: v1\nkind: Secret\n", "no object of botyard.dev"),
        ],
    )
    def test_what_holds_no_manifest_is_an_error_of_its_own(
        self, file: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file.write_text(text)
        assert cli.main(["validate", "-f", str(file)]) == 2
        assert message in capsys.readouterr().err

    def test_standard_input_and_lists_are_read(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(BOT)]}
        monkeypatch.setattr("sys.stdin", io.StringIO(yaml.safe_dump(listed)))
        assert cli.main(["validate", "-f", "-"]) == 0
        assert "Bot shop/clerk: valid" in capsys.readouterr().out


class TestRender:
    def test_the_children_are_those_that_the_operator_applies(
        self, file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: pay, namespace: shop}\nstringData: {token: s3same}\n"
        persona = "apiVersion: botyard.dev/v1alpha1\nkind: Persona\nmetadata: {name: nora, namespace: shop}\n"
        file.write_text("---\n".join([BOT, secret, persona + "spec: {botRef: {name: clerk}}\n"]))
        objects, err = rendered(capsys, "-f", str(file))
        assert set(objects) == {
            "ConfigMap/clerk-bot",
            "ConfigMap/clerk-personas-0",
            "Secret/clerk-credentials",
            "Secret/clerk-platform",
            "NetworkPolicy/clerk",
            "PodDisruptionBudget/clerk",
            "Service/clerk",
            "Deployment/clerk",
        }
        assert objects["Deployment/clerk"]["spec"]["replicas"] == 2
        assert '"nora"' in objects["ConfigMap/clerk-personas-0"]["data"]["personas.json"]
        assert objects["Secret/clerk-credentials"]["data"] == {"KEY": "<6 bytes>"}
        assert "Bundle shop/clerk is not in the files: a stand-in is shown" in err
        assert "Secret" not in err

    def test_secrets_are_shown_on_demand(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file.write_text(BOT)
        objects, err = rendered(capsys, "-f", str(file), "--show-secrets")
        assert objects["Secret/clerk-credentials"]["data"] == {"KEY": "c3RhbmQtaW4="}
        assert "Secret shop/pay has no entry token in the files" in err

    def test_the_same_files_give_the_same_text(self, capsys: pytest.CaptureFixture[str]) -> None:
        printed = []
        for _ in range(2):
            assert cli.main(["render", "-f", str(EXAMPLES), "-n", "demo"]) == 0
            printed.append(capsys.readouterr().out)
        assert printed[0] == printed[1]
        assert "namespace: demo" in printed[0]

    def test_the_installation_is_configured_as_the_operator_is(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file.write_text(BOT)
        monkeypatch.setenv("BOTYARD_RUNTIME_IMAGE", "registry.example.com/runtime:7")
        monkeypatch.setenv("BOTYARD_NETWORK_POLICIES", "false")
        objects, _ = rendered(capsys, "-f", str(file))
        assert "NetworkPolicy/clerk" not in objects
        containers = objects["Deployment/clerk"]["spec"]["template"]["spec"]["containers"]
        assert {container["image"] for container in containers} == {"registry.example.com/runtime:7"}

    @pytest.mark.parametrize(
        ("text", "code", "message"),
        [
            (BOT.replace("replicas: 2", "replicas: two"), 1, "spec.replicas"),
            (BOT.replace("replicas: 2", "suspend: true"), 1, "nothing is applied"),
            (
                "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: '%'}\n---\n" + BOT,
                1,
                ":4: Secret a: data.a",
            ),
            ("kind: Secret\nmetadata: {name: a}\n", 2, "no Bot in"),
        ],
    )
    def test_what_cannot_be_rendered_is_told(
        self, file: Path, text: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file.write_text(text)
        assert cli.main(["render", "-f", str(file)]) == code
        assert message in capsys.readouterr().err


def test_without_the_operators_package_it_is_said_where_the_command_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    none = importlib.metadata.EntryPoints()
    monkeypatch.setattr(cli, "entry_points", lambda **_: none)
    assert cli.main(["validate", "-f", "x"]) == 2
    assert "pip install botyard-operator" in capsys.readouterr().err
