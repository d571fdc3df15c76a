"""Parsers: bring a user's free words into one of several options, or into a JSON object, by a model."""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from botyard.fsm.llm import CREDENTIAL_ARGUMENTS, LLMError, LLMManager
from botyard.fsm.published import in_place_of

_BY_DEPLOYMENT = (
    "openai_deployment_type",
    "openai_api_endpoint",
    "openai_api_key",
    "openai_api_version",
    "azure_credential_scope",
    "model",
)
_BY_VENDOR = (
    "openai_api_key",
    "azure_openai_api_key",
    "azure_openai_api_version",
    "azure_endpoint",
    "model",
)
_JSON = {"type": "json_object"}
SYSTEM_PROMPT = "Reply with one JSON object and nothing else."
"""What the model is told after the task."""
_OPTIONS_PROMPT = (
    '\nThe reply is {"id": <id of the option that the user means>}; the id is null where it is none of them.'
)


class OptionParser:
    """Finds the option that a user means."""

    system_prompt: ClassVar[str] = f"{SYSTEM_PROMPT}{_OPTIONS_PROMPT}"
    """What the model is told after the task."""

    @classmethod
    def parse(cls, user_task: str, options: Sequence[Any], user_input: Any, *args: Any, **kwargs: Any) -> str:
        """Return the id of the option that the input means.

        Args:
            user_task: What the user was asked.
            options: The choices: options of either dialect, or dicts.
            user_input: What the user said.
            *args: Credentials by position, in the order of either dialect.
            **kwargs: Credentials and `model`, as for `LLMManager.llm`.

        Raises:
            LLMError: The model cannot be called, or its answer names no option.
        """
        answer = _ask(user_task, options, user_input, _arguments(args, kwargs))
        if "id" not in answer:
            raise LLMError(f"The model's answer names no option: {answer!r}"[:500])
        return str(answer["id"])


class Parser:
    """Brings what a user says into the form that a task describes."""

    @classmethod
    def parse_user_input(
        cls, user_task: str, options: Sequence[Any] | None, user_input: Any, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Return the model's answer as a dict: `{"id"}` of the option where there are options.

        Args:
            user_task: What the user was asked, and the form of the answer.
            options: The choices, or None.
            user_input: What the user said.
            *args: Credentials by position, in the order of either dialect.
            **kwargs: Credentials and `model`, as for `LLMManager.llm`.

        Raises:
            LLMError: The model cannot be called, or its answer is no JSON object.
        """
        return _ask(user_task, options, user_input, _arguments(args, kwargs))


def _ask(task: str, options: Sequence[Any] | None, user_input: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    manager = in_place_of(LLMManager, "parsers.option_parser", "LLMManager")
    messages = [manager.sm(f"{task}\n{SYSTEM_PROMPT}")]
    if options:
        choices = json.dumps([_choice(option) for option in options], ensure_ascii=False)
        messages[0] = manager.sm(f"{task}\n{SYSTEM_PROMPT}{_OPTIONS_PROMPT}")
        messages.append(manager.am(f"The options are: {choices}"))
    messages.append(manager.um(user_input if isinstance(user_input, str) else str(user_input)))
    text = manager.llm(messages, response_format=_JSON, **arguments)
    try:
        answer = json.loads(text) if isinstance(text, str | bytes) else text
    except ValueError as error:
        raise LLMError(f"The model's answer is no JSON: {text!r}"[:500]) from error
    if not isinstance(answer, dict):
        raise LLMError(f"The model's answer is no JSON object: {text!r}"[:500])
    return answer


def _choice(option: Any) -> dict[str, str]:
    if isinstance(option, dict):
        return {
            "id": str(option.get("id", option.get("option_id", ""))),
            "title": str(option.get("title", option.get("option_text", ""))),
        }
    if isinstance(option, str):
        return {"id": option, "title": option}
    return {"id": str(option.id), "title": str(option.title)}


def _arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    first = str(args[0]).lower() if args and args[0] else ""
    order = _BY_DEPLOYMENT if first == "openai" or "azure" in first else _BY_VENDOR
    given = dict(zip(order, args, strict=False)) | kwargs
    return {name: given[name] for name in (*CREDENTIAL_ARGUMENTS, "model") if given.get(name)}
