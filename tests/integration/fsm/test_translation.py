"""A bot in English whose user writes another language, on a real replica with a model."""

from botyard.contract.model import ModelConfig
from tests.integration.runtime.conftest import MakeBot, make_bot  # noqa: F401 - a fixture
from tests.integration.runtime.replica import echo

RULES = """
rules:
- when: {system_contains: "from the language 'de'", contains: "Mein Rad ist kaputt"}
  reply: {text: '["My bicycle is broken"]'}
- when: {system_contains: "to the language 'de'", contains: "1: My bicycle is broken"}
  reply: {text: '["1: Mein Rad ist kaputt"]'}
- reply: {text: "I do not translate"}
"""
CHOICE = {"payload": {"message_type": "dialog", "dialog": {"dialog_id": "LANGUAGE_SELECTED", "dialog_input": "de"}}}
MODEL = ModelConfig(provider="scripted", name="toy", script="script.yaml")


async def test_texts_are_translated_both_ways_from_the_choice_on(make_bot: MakeBot) -> None:  # noqa: F811
    files = {"config/script.yaml": RULES}
    bot = make_bot(code=echo(), model=MODEL, files=files, config={"translation": {"language": "en"}})
    await bot.start()
    await bot.say("", **CHOICE)
    await bot.say("Mein Rad ist kaputt")
    await bot.finished(2)
    assert await bot.texts() == ["1: Mein Rad ist kaputt"]


async def test_a_model_that_does_not_translate_fails_the_turn_and_the_session_goes_on(
    make_bot: MakeBot,  # noqa: F811
) -> None:
    files = {"config/script.yaml": RULES}
    bot = make_bot(code=echo(), model=MODEL, files=files, config={"translation": {"language": "en"}})
    await bot.start()
    await bot.say("", **CHOICE)
    await bot.say("etwas anderes")
    await bot.finished(2)
    (error,) = [each["data"] for each in await bot.heard() if each["type"] == "chat.error"]
    assert error["kind"] == "TranslationError"
    await bot.say("Mein Rad ist kaputt")
    await bot.finished(3)
    assert await bot.texts() == ["1: Mein Rad ist kaputt"]


async def test_users_who_chose_nothing_are_not_translated(make_bot: MakeBot) -> None:  # noqa: F811
    bot = make_bot(code=echo(), model=MODEL, files={"config/script.yaml": RULES})
    await bot.start()
    await bot.say("begin")
    await bot.say("Mein Rad ist kaputt")
    await bot.finished(2)
    assert await bot.texts() == ["1: Mein Rad ist kaputt"]
