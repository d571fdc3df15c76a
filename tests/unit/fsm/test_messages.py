"""The messages of both dialects, and the one form in which they leave."""

import base64

import pytest
from pydantic import ValidationError

from botyard.fsm import (
    AudioMessage,
    ButtonMessage,
    DialogMessage,
    DialogOption,
    DocumentMessage,
    FormMessage,
    FormReplyMessage,
    FSMInput,
    FSMIntent,
    FSMOutput,
    ImageMessage,
    InteractiveReplyMessage,
    ListMessage,
    Message,
    MessageData,
    MessageType,
    Option,
    OptionsListType,
    OutputError,
    RAGQuery,
    TextMessage,
    UploadFile,
    Webhook,
)
from botyard.fsm.messages import neutral_outputs
from botyard.fsm.messages.neutral import references


def said(kind, **member):
    return FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=Message(message_type=kind, **member))


def legacy(kind=MessageType.TEXT, body="Hello", **more):
    return FSMOutput(message_data=MessageData(body=body), type=kind, **more)


AB = [("1", "A"), ("2", "B")]
OPTIONS = [Option(option_id=i, option_text=t) for i, t in AB]
LEGACY_OPTIONS = [OptionsListType(id=i, title=t) for i, t in AB]
NEUTRAL_OPTIONS = [{"id": i, "title": t} for i, t in AB]

CASES = {
    "text": (
        said(MessageType.TEXT, text=TextMessage(header="H", body="Hello", footer="F")),
        ("bot.message", {"kind": "text", "text": "Hello", "header": "H", "footer": "F"}),
    ),
    "text 0.1": (legacy(dest="out"), ("bot.message", {"kind": "text", "text": "Hello"})),
    "to the channel 0.1": (
        legacy(dest="channel"),
        ("bot.message", {"kind": "text", "text": "Hello", "verbatim": True}),
    ),
    "buttons": (
        said(MessageType.BUTTON, button=ButtonMessage(header="H", body="Which?", footer="F", options=OPTIONS)),
        (
            "bot.message",
            {"kind": "buttons", "text": "Which?", "header": "H", "footer": "F", "options": NEUTRAL_OPTIONS},
        ),
    ),
    "buttons 0.1": (
        legacy(MessageType.INTERACTIVE, "Which?", options_list=LEGACY_OPTIONS),
        ("bot.message", {"kind": "buttons", "text": "Which?", "options": NEUTRAL_OPTIONS}),
    ),
    "list": (
        said(
            MessageType.OPTION_LIST,
            option_list=ListMessage(
                header="H", body="Which?", footer="F", button_text="Open", list_title="All", options=OPTIONS
            ),
        ),
        (
            "bot.message",
            {
                "kind": "list",
                "text": "Which?",
                "header": "H",
                "footer": "F",
                "options": NEUTRAL_OPTIONS,
                "menu": {"button": "Open", "title": "All"},
            },
        ),
    ),
    "list 0.1": (
        legacy(MessageType.INTERACTIVE, "Which?", options_list=LEGACY_OPTIONS, menu_selector="All", menu_title="Open"),
        (
            "bot.message",
            {
                "kind": "list",
                "text": "Which?",
                "options": NEUTRAL_OPTIONS,
                "menu": {"button": "Open", "title": "All"},
            },
        ),
    ),
    "image": (
        said(MessageType.IMAGE, image=ImageMessage(url="https://x/i.png", caption="A bike")),
        ("bot.message", {"kind": "image", "text": "A bike", "media": {"url": "https://x/i.png"}}),
    ),
    "image 0.1": (
        legacy(MessageType.IMAGE, "A bike", media_url="https://x/i.png"),
        ("bot.message", {"kind": "image", "text": "A bike", "media": {"url": "https://x/i.png"}}),
    ),
    "document": (
        said(MessageType.DOCUMENT, document=DocumentMessage(url="https://x/d.pdf", name="d.pdf", caption="Bill")),
        ("bot.message", {"kind": "document", "text": "Bill", "media": {"url": "https://x/d.pdf", "name": "d.pdf"}}),
    ),
    "audio": (
        said(MessageType.AUDIO, audio=AudioMessage(media_url="https://x/a.ogg")),
        ("bot.message", {"kind": "audio", "text": "", "media": {"url": "https://x/a.ogg"}}),
    ),
    "form": (
        said(MessageType.FORM, form=FormMessage(header="H", body="Fill in", footer="F", form_id="f1")),
        ("bot.message", {"kind": "form", "text": "Fill in", "header": "H", "footer": "F", "form": {"id": "f1"}}),
    ),
    "form 0.1": (
        legacy(MessageType.FORM, "Fill in", whatsapp_flow_id="f1", whatsapp_screen_id="s1", form_token="t1"),
        ("bot.message", {"kind": "form", "text": "Fill in", "form": {"id": "f1", "screen": "s1", "token": "t1"}}),
    ),
    "reply to a form": (
        said(MessageType.FORM_REPLY, form_reply=FormReplyMessage(form_data={"a": "b"})),
        ("bot.message", {"kind": "form_reply", "text": "", "form": {"data": {"a": "b"}}}),
    ),
    "reply to buttons": (
        said(MessageType.INTERACTIVE_REPLY, interactive_reply=InteractiveReplyMessage(options=OPTIONS)),
        ("bot.message", {"kind": "interactive_reply", "text": "", "options": NEUTRAL_OPTIONS}),
    ),
    "language": (FSMOutput(intent=FSMIntent.LANGUAGE_CHANGE), ("bot.language_change", {})),
    "language as a dialog": (
        said(MessageType.DIALOG, dialog=DialogMessage(dialog_id=DialogOption.LANGUAGE_CHANGE)),
        ("bot.language_change", {}),
    ),
    "language 0.1": (
        legacy(MessageType.DIALOG, "Pick one", dialog="language", dest="channel"),
        ("bot.language_change", {"text": "Pick one"}),
    ),
    "reset": (FSMOutput(intent=FSMIntent.CONVERSATION_RESET), ("bot.conversation_reset", {})),
    "other dialog": (
        said(MessageType.DIALOG, dialog=DialogMessage(dialog_id=DialogOption.LANGUAGE_SELECTED, dialog_input="de")),
        ("bot.message", {"kind": "dialog", "text": "", "dialog": {"id": "LANGUAGE_SELECTED", "input": "de"}}),
    ),
    "retrieval with few fields": (
        FSMOutput(intent=FSMIntent.RAG_CALL, rag_query=RAGQuery(collection_name="laws", query="bail?")),
        ("bot.rag_call", {"query": "bail?", "collection": "laws", "top_k": 5, "hybrid": False}),
    ),
    "retrieval with all fields": (
        FSMOutput(
            intent=FSMIntent.RAG_CALL,
            rag_query=RAGQuery(
                type="r", collection_name="laws", query="bail?", top_chunk_k_value=2, do_hybrid_search=True
            ),
        ),
        ("bot.rag_call", {"query": "bail?", "collection": "laws", "top_k": 2, "hybrid": True, "type": "r"}),
    ),
    "retrieval 0.1": (
        legacy(body="bail?", dest="rag"),
        ("bot.rag_call", {"query": "bail?", "collection": "", "top_k": 5, "hybrid": False}),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_message_leaves_in_the_neutral_form(name):
    output, expected = CASES[name]
    assert neutral_outputs(output) == [expected]


def test_more_than_three_options_are_a_list_in_the_old_dialect():
    options = [OptionsListType(id=str(n), title=str(n)) for n in range(4)]
    assert neutral_outputs(legacy(MessageType.INTERACTIVE, options_list=options))[0][1]["kind"] == "list"


def test_what_is_not_to_be_translated_is_marked_in_both_dialects():
    text = Message(message_type=MessageType.TEXT, text=TextMessage(body="x"))
    current = FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=text, dest="channel")
    legacy = FSMOutput(message_data=MessageData(body="x"), dest="channel")
    assert neutral_outputs(current) == neutral_outputs(legacy)
    assert neutral_outputs(current)[0][1]["verbatim"] is True


def test_an_announced_reference_without_words_leaves_nothing():
    assert neutral_outputs(FSMOutput(message_data=MessageData(body=""), plugin_uuid="jbkey1jbkey")) == []


def test_a_webhook_leaves_nothing_but_its_reference():
    output = FSMOutput(intent=FSMIntent.WEBHOOK, webhook=Webhook(reference_id="jbkeyXjbkey"))
    assert neutral_outputs(output) == []
    assert references(output) == ["jbkeyXjbkey"]
    assert references(legacy(plugin_uuid="u1")) == ["u1"]


class TestFiles:
    def test_a_file_travels_inside_the_message(self, tmp_path):
        path = tmp_path / "bill.pdf"
        path.write_bytes(b"%PDF")
        file = UploadFile(path=str(path), mime_type="application/pdf", filename="bill.pdf")
        (_, data) = neutral_outputs(legacy(MessageType.DOCUMENT, "Bill", file=file))[0]
        assert data["media"] == {
            "name": "bill.pdf",
            "mime_type": "application/pdf",
            "size": 4,
            "content": base64.b64encode(b"%PDF").decode(),
        }

    def test_a_missing_or_huge_file_is_explained(self, tmp_path):
        missing = UploadFile(path=str(tmp_path / "no"), mime_type="x/y", filename="bill.pdf")
        with pytest.raises(OutputError, match=r"'bill.pdf'"):
            neutral_outputs(legacy(MessageType.DOCUMENT, file=missing))
        huge = tmp_path / "huge"
        with huge.open("wb") as file:
            file.truncate(9 * 1024 * 1024)
        with pytest.raises(OutputError, match="at most 8388608"):
            neutral_outputs(
                legacy(MessageType.DOCUMENT, file=UploadFile(path=str(huge), mime_type="x/y", filename="huge"))
            )


class TestBothDialects:
    def test_options_are_read_under_both_names_and_turn_into_each_other(self):
        option, listed = OPTIONS[0], LEGACY_OPTIONS[0]
        assert (option.id, option.title) == (listed.option_id, listed.option_text) == ("1", "A")
        assert ButtonMessage(header="", body="x", footer="", options=LEGACY_OPTIONS).options == OPTIONS
        assert legacy(options_list=OPTIONS).options_list == LEGACY_OPTIONS

    def test_message_data_is_readable_on_every_output(self):
        assert said(MessageType.TEXT, text=TextMessage(body="Hello")).message_data.body == "Hello"
        assert CASES["image"][0].message_data.body == "A bike"
        assert FSMOutput(intent=FSMIntent.LANGUAGE_CHANGE).message_data.body == ""

    def test_an_output_is_written_in_its_own_dialect(self):
        new = said(MessageType.TEXT, text=TextMessage(body="Hello")).model_dump(mode="json", exclude_none=True)
        assert new == {
            "intent": "SEND_MESSAGE",
            "message": {"message_type": "text", "text": {"body": "Hello"}},
        }
        old = legacy().model_dump(mode="json", exclude_none=True)
        assert old == {"dest": "out", "type": "text", "message_data": {"body": "Hello"}}
        assert neutral_outputs(FSMOutput.model_validate(new)) == neutral_outputs(FSMOutput.model_validate(old))

    @pytest.mark.parametrize(
        ("make", "says"),
        [
            (lambda: FSMOutput(), "intent"),
            (lambda: FSMOutput(intent=FSMIntent.SEND_MESSAGE), "message"),
            (lambda: FSMOutput.model_validate({"intent": "RAG_CALL"}), "rag_query"),
            (lambda: FSMOutput(intent=FSMIntent.WEBHOOK), "webhook"),
            (lambda: Message(message_type=MessageType.BUTTON, text=TextMessage(body="x")), "button"),
            (lambda: Message.model_validate({"message_type": "singing"}), "message_type"),
            (lambda: FSMInput(), "exactly one"),
            (lambda: FSMInput(user_input="a", callback_input="b"), "exactly one"),
        ],
    )
    def test_what_is_missing_is_named(self, make, says):
        with pytest.raises(ValidationError, match=says):
            make()


def test_a_hundred_thousand_options_are_only_many():
    options = [Option(option_id=str(n), option_text=f"Option {n}") for n in range(100_000)]
    message = ListMessage(header="", body="", footer="", button_text="b", list_title="t", options=options)
    (_, data) = neutral_outputs(said(MessageType.OPTION_LIST, option_list=message))[0]
    assert len(data["options"]) == 100_000
    assert data["options"][-1] == {"id": "99999", "title": "Option 99999"}
