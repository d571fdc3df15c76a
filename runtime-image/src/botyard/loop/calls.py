"""One call of a tool: from the model's arguments to what the thread keeps of it."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from botyard.loop import tools
from botyard.loop.errors import AlreadyFakedResult, NeedsConfirmation, WaitForSubchats, is_refusal
from botyard.loop.tools import BadArguments, FCloudtoolCall

log = logging.getLogger("botyard.loop.tools")


NOT_INVENTED = "no model invents what {tool} brings: write its result into the scenario"
"""What a handler is told that asks for an invented result; a scenario's file may have one."""


@dataclass
class CallOutcome:
    """What a call brought. JSON-able by `as_record`: it is journaled before anything is done with it.

    Attributes:
        kind: `result`, `subchats` (the result comes later), `confirmation` (a person decides first).
        content: Text for the model.
        multimodal: Parts for the model, beside or instead of the text.
        coins: What the call cost.
        failed: The handler raised or returned nonsense.
        error: Name of the exception's type, where the model is not told what it says.
        subchats: Threads whose results are this call's.
        confirmation: `{setup_key, command, explanation}`.
        actions: Events that the handler caused.
    """

    kind: Literal["result", "subchats", "confirmation"] = "result"
    content: str = ""
    multimodal: list[dict[str, Any]] | None = None
    coins: int = 0
    failed: bool = False
    error: str = ""
    subchats: list[str] = field(default_factory=list)
    confirmation: dict[str, str] = field(default_factory=dict)
    actions: list[dict[str, Any]] = field(default_factory=list)

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return asdict(self)


def no_handler(name: str) -> CallOutcome:
    """Return the answer to a call that nobody handles: at once, so that the thread does not wait for a time-out."""
    text = f"Tool error: {name} has no handler in this bot; do not call it again."
    return CallOutcome(content=text, failed=True)


def timed_out(name: str, seconds: float) -> CallOutcome:
    """Return the answer to a call whose handler takes too long."""
    text = f"Tool error: {name} did not answer within {seconds:g} s and was stopped; what it did until then stays done."
    return CallOutcome(content=text, failed=True)


async def run_call(
    handler: Callable[..., Awaitable[Any]] | None, call: FCloudtoolCall, *, logged: logging.Logger = log
) -> CallOutcome:
    """Run the handler of `call` and return what came of it; raises nothing but for cancelling.

    Arguments that are no JSON object, and refusals by a service that the handler used, are told to the model in words
    that it can act on; anything else only as `tools.FAILED`, for a traceback is not the model's business.
    """
    if handler is None:
        return no_handler(call.fcall_name)
    try:
        returned = await handler(call, tools.parse_arguments(call))
        result = tools.result_of(returned)
    except BadArguments as error:
        return CallOutcome(content=str(error), failed=True)
    except WaitForSubchats as waiting:
        if not waiting.subchats:
            return CallOutcome(content="No subchat was begun.")
        return CallOutcome("subchats", subchats=list(waiting.subchats))
    except NeedsConfirmation as asked:
        confirmation = {
            "setup_key": asked.confirm_setup_key,
            "command": asked.confirm_command,
            "explanation": asked.confirm_explanation,
        }
        return CallOutcome("confirmation", confirmation=confirmation)
    except AlreadyFakedResult:
        return CallOutcome()
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        if is_refusal(error):
            return CallOutcome(content=f"Error: {error}", failed=True)
        logged.error("the handler of %s failed", call.fcall_name, exc_info=error)
        return CallOutcome(content=tools.FAILED, failed=True, error=type(error).__name__)
    return CallOutcome(content=result.content, multimodal=result.multimodal, coins=tools.coins(result.dollars))
