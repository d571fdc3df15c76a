"""Messages of a thread as the OpenAI protocol writes them, and results of tools as a thread keeps them."""

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from botyard.loop.calls import CallOutcome
from botyard.loop.threads import FThreadMessageOutput

MAX_ID = 40
MAX_NAME = 64
"""Characters of a call's id and of a tool's name that models of the OpenAI protocol take."""
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


def as_model_messages(
    system_prompt: str, messages: Sequence[FThreadMessageOutput], summary: str = ""
) -> list[dict[str, Any]]:
    """Return what a model is sent.

    Instructions that a program put into the thread (`cd_instruction`, `kernel`) go as user messages, marked as what
    they are: models take a system message only at the beginning. Results stand right behind the answer that called for
    them, whatever was said meanwhile (while a person decided, or a subchat ran): models refuse them anywhere else.

    Args:
        system_prompt: Of the expert; empty: none.
        messages: In order.
        summary: Of what came before them; empty: nothing did.
    """
    sent: list[dict[str, Any]] = [{"role": "system", "content": system_prompt}] if system_prompt else []
    if summary:
        sent.append({"role": "user", "content": f"💿 Summary of what was said before:\n{summary}"})
    results = {message.ftm_call_id: message for message in messages if message.ftm_role == "tool"}
    for message in messages:
        if message.ftm_role == "assistant":
            answered = [call for call in message.ftm_tool_calls or () if call["id"] in results]
            sent += _answer(message, answered)
            sent += _results([results[call["id"]] for call in answered])
        elif message.ftm_role != "tool":
            sent.append(_said(message))
    return sent


def _answer(message: FThreadMessageOutput, calls: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return an assistant's message with the calls that have results; a call without one is refused by models."""
    if calls:
        return [{"role": "assistant", "content": message.ftm_content, "tool_calls": [_call(call) for call in calls]}]
    text = _split(message.ftm_content)[0]
    return [{"role": "assistant", "content": text}] if text else []


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call["function"]
    # What a model made up is sent back to it: in the form that models accept, or the thread could never go on.
    name = _NOT_IN_NAMES.sub("_", str(function["name"]))[:MAX_NAME] or "_"
    return {
        "id": _short(call["id"]),
        "type": "function",
        "function": {"name": name, "arguments": function["arguments"]},
    }


def _results(found: Sequence[FThreadMessageOutput]) -> list[dict[str, Any]]:
    """Return the results of one answer's calls: all texts, then their images, as models take them."""
    texts: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    for message in found:
        text, shown = _split(message.ftm_content)
        texts.append({"role": "tool", "tool_call_id": _short(message.ftm_call_id), "content": text})
        images += shown
    return [*texts, {"role": "user", "content": images}] if images else texts


def _said(message: FThreadMessageOutput) -> dict[str, Any]:
    text, images = _split(message.ftm_content)
    if message.ftm_role in ("cd_instruction", "kernel"):
        return {"role": "user", "content": f"💿 {text}"}
    if message.ftm_role == "system":
        return {"role": "system", "content": text}
    return {"role": "user", "content": [{"type": "text", "text": text}, *images] if images else text}


def _short(call_id: str) -> str:
    """Return the id of a call as models take it: at most `MAX_ID` characters."""
    return call_id if len(call_id) <= MAX_ID else blake2b(call_id.encode(), digest_size=MAX_ID // 2).hexdigest()


def content_of_result(outcome: CallOutcome) -> Any:
    """Return a result as a thread's message holds it: a text, or parts where there are others than text."""
    if not outcome.multimodal:
        return outcome.content
    parts = [{"m_type": str(part["m_type"]), "m_content": part["m_content"]} for part in outcome.multimodal]
    return ([{"m_type": "text", "m_content": outcome.content}] if outcome.content else []) + parts


def as_text(content: Any) -> str:
    """Return the text of a message's content; what is none is left out."""
    return _split(content)[0]


def _split(content: Any) -> tuple[str, list[dict[str, Any]]]:
    """Return the text of a message's content, and its images as the protocol has them."""
    if not isinstance(content, list):
        return "" if content is None else str(content), []
    texts, images = [], []
    for part in content:
        kind, value = str(part.get("m_type", "")), part.get("m_content")
        if kind.startswith(("audio/", "video/", "application/")):
            texts.append(f"[{kind}, {len(str(value))} characters of base64]")
        elif kind.startswith("image/"):
            images.append({"type": "image_url", "image_url": {"url": f"data:{kind};base64,{value}"}})
        else:
            texts.append(str(value))
    return "\n".join(texts), images
