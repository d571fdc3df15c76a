"""Messages of a thread as the OpenAI protocol writes them, and results of tools as a thread keeps them."""

from collections.abc import Sequence
from typing import Any

from botyard.loop.calls import CallOutcome
from botyard.loop.threads import FThreadMessageOutput


def as_model_messages(
    system_prompt: str, messages: Sequence[FThreadMessageOutput], summary: str = ""
) -> list[dict[str, Any]]:
    """Return what a model is sent.

    Instructions that a program put into the thread (`cd_instruction`, `kernel`) go as user messages, marked as what
    they are: models take a system message only at the beginning.

    Args:
        system_prompt: Of the expert; empty: none.
        messages: In order.
        summary: Of what came before them; empty: nothing did.
    """
    sent: list[dict[str, Any]] = [{"role": "system", "content": system_prompt}] if system_prompt else []
    if summary:
        sent.append({"role": "user", "content": f"💿 Summary of what was said before:\n{summary}"})
    for message in messages:
        if message.ftm_role == "assistant":
            said: dict[str, Any] = {"role": "assistant", "content": message.ftm_content}
            sent.append(said | ({"tool_calls": message.ftm_tool_calls} if message.ftm_tool_calls else {}))
        elif message.ftm_role == "tool":
            text, images = _split(message.ftm_content)
            sent.append({"role": "tool", "tool_call_id": message.ftm_call_id, "content": text})
            if images:
                sent.append({"role": "user", "content": images})
        elif message.ftm_role in ("cd_instruction", "kernel"):
            sent.append({"role": "user", "content": f"💿 {_split(message.ftm_content)[0]}"})
        elif message.ftm_role == "system":
            sent.append({"role": "system", "content": _split(message.ftm_content)[0]})
        else:
            text, images = _split(message.ftm_content)
            parts = [{"type": "text", "text": text}, *images]
            sent.append({"role": "user", "content": parts if images else text})
    return sent


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
