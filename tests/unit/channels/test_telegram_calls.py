"""What a bot says, as calls of Telegram's Bot API."""

import base64

from botyard.channels.settings import Language
from botyard.channels.telegram.calls import MAX_TEXT, calls_for, pieces
from botyard.channels.telegram.choices import data_of, is_digest, option_of

LANGUAGES = (Language(code="en", title="English"), Language(code="hi", title="हिन्दी"))


def calls(type_="bot.message", forms=None, **data):
    return calls_for({"type": type_, "data": data}, "7", forms=forms or {}, languages=LANGUAGES)


def test_a_text_has_its_header_and_footer():
    (call,) = calls(kind="text", header="Hello", text="How are you?", footer="Ada")
    assert (call.method, call.parameters) == ("sendMessage", {"chat_id": "7", "text": "Hello\n\nHow are you?\n\nAda"})


def test_a_long_text_is_cut_between_words_and_nothing_of_it_is_lost():
    text = "word " * 2_000
    said = [call.parameters["text"] for call in calls(kind="text", text=text)]
    assert len(said) == 3
    assert all(len(piece) <= MAX_TEXT for piece in said)
    assert " ".join(said).split() == text.split()


def test_the_length_is_counted_as_telegram_counts():
    assert [len(piece) for piece in pieces("😀" * 5, 4)] == [2, 2, 1]


def test_buttons_stand_side_by_side_and_lists_one_below_the_other():
    options = [{"id": "1", "title": "Tyre"}, {"id": "2", "title": "Brake"}]
    (buttons,) = calls(kind="buttons", text="What?", options=options)
    (listed,) = calls(kind="list", text="What?", options=options)
    tyre, brake = {"text": "Tyre", "callback_data": "o:1"}, {"text": "Brake", "callback_data": "o:2"}
    assert buttons.parameters["reply_markup"] == {"inline_keyboard": [[tyre, brake]]}
    assert listed.parameters["reply_markup"] == {"inline_keyboard": [[tyre], [brake]]}


def test_more_options_than_a_message_takes_go_on_in_the_next_one():
    options = [{"id": str(number), "title": f"Option {number}"} for number in range(250)]
    found = calls(kind="list", text="What?", options=options)
    assert [len(call.parameters["reply_markup"]["inline_keyboard"]) for call in found] == [100, 100, 50]


def test_an_id_that_is_too_long_for_a_button_travels_as_a_digest():
    long = "x" * 100
    (call,) = calls(kind="buttons", text="What?", options=[{"id": long, "title": "Long"}])
    data = call.parameters["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    assert len(data.encode()) <= 64
    assert is_digest(data)
    assert call.long_ids == {data: long}
    assert option_of(data_of("short")) == "short"


def test_media_are_sent_by_address_or_with_their_content():
    (image,) = calls(kind="image", text="A bicycle", media={"url": "https://x.test/a.png"})
    assert (image.method, image.parameters) == (
        "sendPhoto",
        {"chat_id": "7", "caption": "A bicycle", "photo": "https://x.test/a.png"},
    )
    media = {"name": "bill.pdf", "mime_type": "application/pdf", "content": base64.b64encode(b"%PDF").decode()}
    (document,) = calls(kind="document", text="", media=media)
    assert document.method == "sendDocument"
    assert document.upload == ("document", "bill.pdf", b"%PDF", "application/pdf")
    (audio,) = calls(kind="audio", text="", media={"url": "https://x.test/a.ogg"})
    assert (audio.method, audio.parameters["audio"]) == ("sendAudio", "https://x.test/a.ogg")


def test_a_caption_that_is_too_long_goes_on_as_text():
    found = calls(kind="image", text="word " * 400, media={"url": "https://x.test/a.png"})
    assert [call.method for call in found] == ["sendPhoto", "sendMessage"]


def test_a_form_is_a_web_app_where_the_channel_knows_its_address():
    (call,) = calls(kind="form", text="Your details", form={"id": "f1"}, forms={"f1": "https://forms.test/1"})
    button = call.parameters["reply_markup"]["keyboard"][0][0]
    assert button == {"text": "Open form", "web_app": {"url": "https://forms.test/1"}}
    (unknown,) = calls(kind="form", text="Your details", form={"id": "f2"})
    assert unknown.parameters == {"chat_id": "7", "text": "Your details"}


def test_languages_are_offered_by_their_names():
    (call,) = calls("bot.language_change")
    rows = call.parameters["reply_markup"]["inline_keyboard"]
    assert rows == [
        [{"text": "English", "callback_data": "l:en"}],
        [{"text": "हिन्दी", "callback_data": "l:hi"}],
    ]


def test_an_error_is_told_without_its_details_and_other_outputs_are_not_told():
    (call,) = calls("chat.error", kind="KeyError", message="secret detail")
    assert "secret" not in call.parameters["text"]
    assert calls("chat.complete", committed=True) == []
    assert calls(kind="text", text="") == []
