"""What Personas keep in Secrets, as the supervisor reads it."""

import json
import logging
from pathlib import Path

import pytest

from botyard.contract.bot import BotConfig
from botyard.contract.persona import PersonaConfig, PersonaShard
from botyard.runtime.configuration import Configuration

NORA = PersonaConfig(name="nora", setup={"greeting": "Hi"}, secrets_version="1")


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    for name in ("config", "personas/0", "secrets"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "config/bot.json").write_text(BotConfig(namespace="shop", name="clerk").to_json())
    write(tmp_path, NORA, PersonaConfig(name="oslo"))
    return Configuration(
        config=tmp_path / "config", personas=tmp_path / "personas", credentials=tmp_path / "credentials",
        persona_secrets=tmp_path / "secrets",
    )  # fmt: skip


def write(folder: Path, *personas: PersonaConfig) -> None:
    (folder / "personas/0/personas.json").write_text(PersonaShard(personas=personas).to_json())


def keep(folder: Path, text: str) -> None:
    (folder / "secrets/nora.json").write_text(text)


def test_values_of_secrets_are_part_of_the_setup(configuration: Configuration, tmp_path: Path) -> None:
    keep(tmp_path, json.dumps({"setup": {"API_KEY": "k"}, "mongo": "mongodb://db"}))
    configuration.load()
    nora = configuration.personas["nora"]
    assert (nora.setup, nora.mongo_uri) == ({"greeting": "Hi", "API_KEY": "k"}, "mongodb://db")
    assert "mongodb" not in repr(nora)


def test_the_address_of_the_database_stays_in_the_supervisor(configuration: Configuration, tmp_path: Path) -> None:
    keep(tmp_path, json.dumps({"database": "postgresql://nora:geheim@db/shop"}))
    configuration.load()
    nora = configuration.personas["nora"]
    assert nora.database == "postgresql://nora:geheim@db/shop"
    for written in (nora.model_dump(), nora.model_dump(by_alias=True), nora.to_json(), repr(nora)):
        assert "geheim" not in str(written)


def test_a_persona_whose_secret_is_not_there_yet_does_not_begin(configuration: Configuration) -> None:
    configuration.load()
    assert set(configuration.personas) == {"oslo"}


def test_a_secret_that_cannot_be_read_leaves_the_persona_as_it_was_and_is_not_logged(
    configuration: Configuration, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path, json.dumps({"setup": {"API_KEY": "k"}}))
    configuration.load()
    keep(tmp_path, '{"setup": {"API_KEY": "s3cret", ')
    write(tmp_path, NORA.model_copy(update={"setup": {"greeting": "Moin"}}))
    with caplog.at_level(logging.DEBUG):
        configuration.load()
    assert configuration.personas["nora"].setup == {"greeting": "Hi", "API_KEY": "k"}
    assert "s3cret" not in caplog.text


def test_a_changed_secret_is_noticed(configuration: Configuration, tmp_path: Path) -> None:
    keep(tmp_path, json.dumps({"setup": {"API_KEY": "k"}}))
    configuration.load()
    before = configuration._look()
    keep(tmp_path, json.dumps({"setup": {"API_KEY": "other"}}))
    assert configuration._look() != before
