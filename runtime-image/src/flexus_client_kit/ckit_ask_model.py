"""Threads and messages, and how a bot begins and continues threads. The first argument, a client, is not used."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botyard.loop import keys, platform
from botyard.loop.context import current
from botyard.loop.errors import PlatformError
from botyard.loop.install import DEFAULT
from botyard.loop.threads import FThreadMessageOutput, FThreadOutput, FThreadWithMessages

__all__ = [
    "FThreadMessageInput",
    "FThreadMessageOutput",
    "FThreadOutput",
    "FThreadWithMessages",
    "bot_activate",
    "bot_subchat_create_multiple",
    "captured_thread_lookup",
    "groupchat_invite",
    "groupchat_post",
    "thread_add_user_messages",
]


@dataclass(init=False)
class FThreadMessageInput:
    """A message to add to a thread."""

    ftm_role: str
    ftm_content: Any

    def __init__(self, ftm_role: str = "user", ftm_content: Any = "", **given: Any) -> None:
        """Take who says what; where in the thread it goes (`ftm_num` and others) is known.

        Raises:
            TypeError: An argument is none of a message.
        """
        if strange := sorted(name for name in given if not name.startswith("ftm_")):
            raise TypeError(f"a message has no {', '.join(strange)}")
        self.ftm_role, self.ftm_content = ftm_role, ftm_content


async def bot_activate(
    client: Any,
    who_is_asking: str,
    persona_id: str,
    first_question: str,
    first_calls: Any = None,
    title: str = "",
    fexp_name: str = DEFAULT,
    **more: Any,
) -> str:
    """Begin a thread with a Persona's expert and return its id; `first_calls` as in `bot_subchat_create_multiple`."""
    return await platform.start_thread(
        persona_id,
        [{"role": "user", "content": first_question}],
        expert=fexp_name,
        title=title,
        calls=_calls(first_calls),
    )


async def bot_subchat_create_multiple(
    client: Any,
    who_is_asking: str,
    persona_id: str,
    first_question: Sequence[str],
    first_calls: Sequence[Any] | None = None,
    title: Sequence[str] | None = None,
    fcall_id: str = "",
    fexp_name: str = DEFAULT,
    **more: Any,
) -> list[str]:
    """Begin threads whose last answers are the result of a call, and return their ids for `WaitForSubchats`.

    Args:
        client: Not used.
        who_is_asking: Not used; kept for the log of the existing system.
        persona_id: Whose threads.
        first_question: What each is asked.
        first_calls: Of each: tools that are called before the model is asked, `{function: {name, arguments}}` or a list
            of those, as data or as JSON; null: none.
        title: Of each.
        fcall_id: The call that waits.
        fexp_name: Who answers.
        more: Other options of the existing system; not used.

    Raises:
        ValueError: What a thread should begin with is no call, or there is no call that waits.
    """
    if not fcall_id:
        raise ValueError("bot_subchat_create_multiple needs fcall_id, the call that waits for the results")
    parent = (keys.thread_of_call(fcall_id), fcall_id)
    titles, first = list(title or ()), list(first_calls or ())
    return [
        await platform.start_thread(
            persona_id,
            [{"role": "user", "content": question}],
            expert=fexp_name,
            title=titles[number] if number < len(titles) else "",
            parent=parent,
            calls=_calls(first[number] if number < len(first) else None),
        )
        for number, question in enumerate(first_question)
    ]


async def thread_add_user_messages(
    client: Any, ft_id: str, content: Sequence[Any] | str, persona_id: str = "", **more: Any
) -> None:
    """Say something in a thread as its user.

    Args:
        client: Not used.
        ft_id: The thread; may carry the Persona as `persona~thread`.
        content: A text, or several texts or messages.
        persona_id: Whose thread; empty: the asking Persona's.
        more: Other options of the existing system; not used.
    """
    persona, _, thread = ft_id.rpartition("~")
    texts = [content] if isinstance(content, str | FThreadMessageInput) else list(content)
    messages = [_message(text) for text in texts]
    await platform.say_in_thread(persona_id or persona or current().persona.persona_id, thread, messages)


async def captured_thread_lookup(client: Any, *where: Any, **more: Any) -> None:
    """Return the thread that goes on in a messenger: none does."""
    return


async def groupchat_invite(client: Any, *whom: Any, **more: Any) -> None:
    """Refuse: there are no group chats.

    Raises:
        PlatformError: Always.
    """
    raise PlatformError("Botyard has no group chats: begin a thread with each Persona instead", "NotThere")


groupchat_post = groupchat_invite


def _calls(given: Any) -> list[tuple[str, str]]:
    """Return names and arguments (JSON) of the calls that a thread begins with.

    Raises:
        ValueError: They are none.
    """
    parsed = json.loads(given or "null") if isinstance(given, str) else given
    calls = []
    for call in parsed if isinstance(parsed, list) else [parsed] if parsed else []:
        function = call.get("function", call) if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise ValueError(f"{call!r} is no call of a tool: {{function: {{name, arguments}}}} is one")
        arguments = function.get("arguments") or {}
        calls.append((function["name"], arguments if isinstance(arguments, str) else json.dumps(arguments)))
    return calls


def _message(given: Any) -> Mapping[str, Any]:
    if isinstance(given, FThreadMessageInput):
        return {"role": given.ftm_role, "content": given.ftm_content}
    return {"role": "user", "content": given}
