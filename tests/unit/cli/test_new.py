"""`botyard new` makes a bot that works: its scenarios pass, its manifests are valid."""

from pathlib import Path

import pytest
import yaml

from botyard.cli import main
from botyard.cli.new.command import MODELS
from botyard_operator.api.bot import Bot
from botyard_operator.api.bundle import Bundle


@pytest.mark.parametrize("model", MODELS)
def test_a_new_bot_passes_its_own_scenarios(model: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main.main(["new", "coffee-orders", "--model", model, "--into", str(tmp_path)]) == 0
    folder = tmp_path / "coffee-orders"
    assert "class CoffeeOrders(" in (folder / "bot.py").read_text()
    assert main.main(["scenario", str(folder)]) == 0, capfd.readouterr()
    assert main.main(["inspect", str(folder)]) == 0


@pytest.mark.parametrize("model", MODELS)
def test_its_manifests_are_valid(model: str, tmp_path: Path) -> None:
    main.main(["new", "tea", "--model", model, "--into", str(tmp_path)])
    bundle, bot = yaml.safe_load_all((tmp_path / "tea" / "manifests.yaml").read_text())
    for document in (bundle, bot):
        document["metadata"]["namespace"] = "shop"
    assert Bundle.parse(bundle).metadata.name == "tea"
    assert Bot.parse(bot).spec.bundle_ref.name == "tea"


@pytest.mark.parametrize("name", ["Coffee", "1st", "a_b", "../x", "-a", "a-", "x" * 51, ""])
def test_a_name_that_no_bot_can_have_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["new", "--into", str(tmp_path), "--", name]) == 2
    assert "small letters" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tea").mkdir()
    (tmp_path / "tea" / "bot.py").write_text("mine")
    assert main.main(["new", "tea", "--into", str(tmp_path)]) == 1
    assert "nothing was changed" in capsys.readouterr().err
    assert (tmp_path / "tea" / "bot.py").read_text() == "mine"
