"""A bot in Telegram, end to end against a double of its server: the published protocol in both directions."""

import json
from typing import Any

import httpx
import pytest

from botyard.channels.storage import ChannelStorage
from tests.integration.channels.conftest import SECRET, until
from tests.integration.channels.telegram_server import TelegramServer, message, pressed
from tests.integration.gateway.system import System

pytestmark = pytest.mark.usefixtures("service")


async def post(system: System, update: bytes, secret: str = SECRET) -> httpx.Response:
    return await system.http.post(
        "/v1/channels/chat", content=update, headers={"X-Telegram-Bot-Api-Secret-Token": secret}
    )


async def payloads(system: System) -> list[dict[str, Any]]:
    return [json.loads(entry.payload) for entry in await system.waiting()]


def says(text: str, **data: Any) -> tuple[str, dict[str, Any]]:
    return "bot.message", {"kind": "text", "text": text, **data}


async def test_a_message_is_answered_in_its_chat(system: System, telegram: TelegramServer) -> None:
    assert (await post(system, message(1, "hello"))).status_code == 200
    (entry,) = await system.waiting()
    assert (json.loads(entry.payload)["text"], entry.user) == ("hello", "chat:70")
    await system.answer(says("one"), ("chat.complete", {}), says("two"))
    await until(lambda: telegram.said() == ["one", "two"])
    assert {parameters["chat_id"] for parameters in telegram.of("sendMessage")} == {"7"}


async def test_an_update_that_is_delivered_again_is_the_same_event(system: System) -> None:
    for _ in range(3):
        assert (await post(system, message(1, "hello"))).status_code == 200
    assert len(await system.waiting()) == 1
    await post(system, message(2, "hello"))
    assert len(await system.waiting()) == 2


async def test_a_pressed_button_is_the_chosen_option(system: System, telegram: TelegramServer) -> None:
    await post(system, message(1, "hello"))
    long = "option-" + "x" * 90
    options = [{"id": "tyre", "title": "Tyre"}, {"id": long, "title": "Everything"}]
    await system.answer(says("What?", kind="buttons", options=options))
    await until(lambda: telegram.said() == ["What?"])
    ((tyre, everything),) = telegram.of("sendMessage")[0]["reply_markup"]["inline_keyboard"]
    await post(system, pressed(2, tyre["callback_data"], "Tyre"))
    await post(system, pressed(3, everything["callback_data"], "Everything"))
    chosen = [payload["options"] for payload in await payloads(system)]
    assert chosen == [[{"id": "tyre", "title": "Tyre"}], [{"id": long, "title": "Everything"}]]
    assert [each["callback_query_id"] for each in telegram.of("answerCallbackQuery")] == ["q2", "q3"]


async def test_forms_languages_and_the_start_command_reach_the_bot(system: System) -> None:
    await post(system, message(1, web_app_data={"data": '{"name": "Ada", "wheels": 2}', "button_text": "Open form"}))
    await post(system, pressed(2, "l:en", "English"))
    await post(system, message(3, "/start"))
    found = {json.dumps(each["payload"], sort_keys=True) for each in await payloads(system)}
    assert found == {
        json.dumps(each, sort_keys=True)
        for each in (
            {"kind": "form_reply", "form_data": {"name": "Ada", "wheels": "2"}},
            {"kind": "dialog", "dialog_id": "LANGUAGE_SELECTED", "dialog_input": "en"},
            {"kind": "dialog", "dialog_id": "CONVERSATION_RESET"},
        )
    }


async def test_a_photo_reaches_the_bot_with_its_content_and_not_with_the_token(
    system: System, telegram: TelegramServer
) -> None:
    telegram.files["big"] = b"\x89PNG"
    sizes = [{"file_id": "small"}, {"file_id": "big", "file_size": 4}]
    await post(system, message(1, photo=sizes, caption="my bicycle"))
    (payload,) = await payloads(system)
    assert payload["text"] == "my bicycle"
    assert payload["files"][0]["url"] == "data:image/jpeg;base64,iVBORw=="
    assert "test-token" not in json.dumps(payload)


async def test_a_file_that_is_too_large_is_left_out_and_the_bot_hears_of_it(
    system: System, telegram: TelegramServer
) -> None:
    telegram.files["huge"] = b"x" * 2_000
    await post(system, message(1, document={"file_id": "huge", "file_size": 2_000}))
    await post(system, message(2, document={"file_id": "huge"}))
    assert [payload["text"] for payload in await payloads(system)] == ["[file]", "[file]"]


async def test_files_of_the_bot_are_uploaded(system: System, telegram: TelegramServer) -> None:
    await post(system, message(1, "bill"))
    media = {"name": "bill.pdf", "mime_type": "application/pdf", "content": "JVBERg=="}
    await system.answer(says("Your bill", kind="document", media=media))
    await until(lambda: telegram.said() == ["Your bill"])
    assert telegram.of("sendDocument")[0]["document"] == ("bill.pdf", b"%PDF")


async def test_only_updates_with_the_secret_token_count(system: System) -> None:
    assert (await post(system, message(1, "hello"), secret="guessed")).status_code == 403
    assert (await post(system, b'{"update_id": "one"}')).status_code == 422
    assert (await post(system, b'{"update_id": 1, "poll": {}}')).status_code == 200
    assert await system.waiting() == []
    assert (await system.http.post("/v1/channels/none", content=b"{}")).status_code == 404


async def test_what_telegram_refuses_for_now_is_sent_again_in_order(system: System, telegram: TelegramServer) -> None:
    telegram.failures += [(500, {}), (429, {"parameters": {"retry_after": 0.1}}), (502, {})]
    await post(system, message(1, "hello"))
    await system.answer(says("one"), says("two"))
    await until(lambda: telegram.said() == ["one", "two"])


async def test_what_telegram_refuses_for_good_is_listed_and_the_next_message_follows(
    system: System, telegram: TelegramServer
) -> None:
    telegram.failures.append((403, {"description": "Forbidden: bot was blocked by the user"}))
    await post(system, message(1, "hello"))
    await system.answer(says("one"), says("two"))
    await until(lambda: telegram.said() == ["two"])
    (failure,) = await ChannelStorage(system.redis).failures("chat")
    assert failure.why == "sendMessage of channel chat: answered 403 Forbidden: bot was blocked by the user"


async def test_the_webhook_is_set_at_start(telegram: TelegramServer) -> None:
    await until(lambda: bool(telegram.of("setWebhook")))
    parameters = telegram.of("setWebhook")[0]
    assert parameters["url"] == "https://bots.test/v1/channels/chat"
    assert (parameters["secret_token"], parameters["allowed_updates"]) == (SECRET, ["message", "callback_query"])


async def test_a_conversation_of_a_channel_cannot_be_taken_by_a_client_of_the_api(system: System) -> None:
    await system.post("mine", conversation="chat.7", user="ben")
    await post(system, message(1, "hello"))
    keys = {entry.key: entry.user for entry in await system.waiting()}
    assert keys.pop("chat.7") == "ben"
    ((key, user),) = keys.items()
    assert key.startswith("chat.7.")
    assert user == "chat:70"
