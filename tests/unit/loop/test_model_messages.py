"""What a model of the OpenAI protocol is sent of a thread: nothing that it would refuse."""

from typing import Any

from botyard.loop.model_messages import MAX_ID, MAX_NAME, as_model_messages
from botyard.loop.threads import FThreadMessageOutput

IMAGE = [{"m_type": "text", "m_content": "a cat"}, {"m_type": "image/png", "m_content": "aGk="}]


def call(call_id: str, name: str = "look", arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def user(text: Any) -> FThreadMessageOutput:
    return FThreadMessageOutput("t", 1, "user", text)


def assistant(text: str | None, *calls: dict[str, Any]) -> FThreadMessageOutput:
    return FThreadMessageOutput("t", 2, "assistant", text, list(calls) or None)


def result(call_id: str, content: Any) -> FThreadMessageOutput:
    return FThreadMessageOutput("t", 3, "tool", content, ftm_call_id=call_id)


def roles(*messages: FThreadMessageOutput) -> list[str]:
    return [sent["role"] for sent in as_model_messages("", messages)]


def test_results_stand_behind_the_answer_that_called_for_them_whatever_was_said_meanwhile() -> None:
    """A person who writes while a call waits for a confirmation must not make the thread unreadable for models."""
    sent = as_model_messages(
        "",
        [user("delete it"), assistant(None, call("c1"), call("c2")), result("c1", "one"), user("hurry"),
         result("c2", "two")],
    )  # fmt: skip
    assert [message.get("tool_call_id", message["role"]) for message in sent] == [
        "user",
        "assistant",
        "c1",
        "c2",
        "user",
    ]


def test_images_of_parallel_calls_come_behind_all_their_results() -> None:
    messages = [user("show"), assistant(None, call("c1"), call("c2")), result("c1", IMAGE), result("c2", "text")]
    assert roles(*messages) == ["user", "assistant", "tool", "tool", "user"]
    shown = as_model_messages("", messages)[-1]["content"]
    assert shown == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]


def test_results_without_their_call_and_calls_without_a_result_are_left_out() -> None:
    assert roles(result("gone", "x"), user("hello")) == ["user"]
    [said] = as_model_messages("", [assistant("I look.", call("open"))])
    assert said == {"role": "assistant", "content": "I look."}


def test_an_answer_that_said_nothing_is_left_out() -> None:
    assert roles(user("hello"), assistant(None), assistant(""), user("there?")) == ["user", "user"]


def test_names_that_a_model_made_up_go_back_in_a_form_that_models_accept() -> None:
    messages = [
        assistant(None, call("c1", "(malformed)"), call("c2", "a b/c" * 50)),
        result("c1", "x"),
        result("c2", "y"),
    ]
    names = [each["function"]["name"] for each in as_model_messages("", messages)[0]["tool_calls"]]
    assert names[0] == "_malformed_"
    assert len(names[1]) == MAX_NAME
    assert names[1].startswith("a_b_c")


def test_long_ids_of_calls_are_shortened_alike_in_calls_and_results() -> None:
    long = "task_" + "x" * 100 + ".12.0"
    said, told = as_model_messages("", [assistant(None, call(long)), result(long, "x")])
    assert said["tool_calls"][0]["id"] == told["tool_call_id"]
    assert len(told["tool_call_id"]) <= MAX_ID
