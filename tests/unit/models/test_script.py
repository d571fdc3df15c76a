"""The model script: the first rule whose conditions all hold answers."""

import pytest

from botyard.models import script
from botyard.models.errors import NoRuleMatches

WEATHER = """
rules:
- when: {system_contains: "forecaster", last_role: user, contains: "weather"}
  reply:
    text: "Looking it up."
    tool_calls: [{name: get_weather, arguments: {city: "{last}", days: [1]}}]
    usage: {input_tokens: 120, output_tokens: 30}
    delay_ms: 250
- when: {last_role: tool, tool: get_weather}
  reply: {text: "It says: {last}"}
- when: {tool: book}
  reply: {text: "I can book"}
- reply: {text: "ok"}
"""
SYSTEM = {"role": "system", "content": "You are a Forecaster."}


def said(*messages, tools=(), limit=None, text=WEATHER):
    return script.answer(script.load(text), messages, tools, limit)


def user(text):
    return {"role": "user", "content": text}


def test_the_first_rule_whose_conditions_all_hold_answers():
    answer = said(SYSTEM, user("Weather?"))
    assert answer.text == "Looking it up."
    assert answer.tool_calls == (("get_weather", '{"city": "Weather?", "days": [1]}'),)
    assert (answer.input_tokens, answer.output_tokens, answer.delay_seconds) == (120, 30, 0.25)


def test_a_condition_that_does_not_hold_passes_the_rule_over():
    assert said(user("Weather?")).text == "ok"
    assert said(SYSTEM, user("Time?")).text == "ok"


def test_a_tools_result_is_recognised_by_the_call_that_it_answers():
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "c1", "content": "sunny"}
    assert said(user("x"), {"role": "assistant", "tool_calls": [call]}, result).text == "It says: sunny"
    assert said(user("x"), {"role": "tool", "tool_call_id": "other", "content": "sunny"}).text == "ok"


def test_a_tool_that_the_request_offers():
    assert said(user("x"), tools=["book"]).text == "I can book"


def test_parts_of_a_message_are_read_as_one_text():
    parts = [
        {"type": "text", "text": "the wea"},
        {"type": "image_url", "image_url": {}},
        {"type": "text", "text": "ther"},
    ]
    assert said(SYSTEM, {"role": "user", "content": parts}).text == "Looking it up."


def test_usage_that_a_rule_leaves_out_is_counted_four_characters_a_token():
    answer = said(SYSTEM, user("12345"))
    assert answer.input_tokens == 7  # 21 + 5 characters
    assert answer.output_tokens == 1


def test_a_limit_cuts_the_answer():
    answer = said(user("x"), limit=2, text='rules: [{reply: {text: "123456789"}}]')
    assert (answer.text, answer.output_tokens, answer.cut) == ("12345678", 2, True)


def test_a_script_without_a_rule_for_the_rest_says_what_was_asked():
    with pytest.raises(NoRuleMatches, match=r"last message \(user\) is 'hello'; add a rule without `when`"):
        said(user("hello"), text="rules: [{when: {contains: x}, reply: {text: y}}]")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rules: [", "not YAML"),
        ("", "the document: Input should be a valid dictionary"),
        ("rules: []", "rules: Tuple should have at least 1 item"),
        ("rules: [{reply: {text: x, usage: {input_tokens: -1}}}]", "rules.0.reply.usage.input_tokens"),
        ("rules: [{wen: {}, reply: {}}]", "rules.0.wen: Extra inputs"),
        ("x" * (script.MAX_SCRIPT + 1), "at most"),
    ],
)
def test_what_is_no_script_is_refused_by_place(text, problem):
    with pytest.raises(script.ScriptError, match=problem):
        script.load(text)
