"""What can be wrong with a machine, each with the state at fault and what to do."""

from transitions import MachineError


class FsmError(Exception):
    """Base of the errors that the machine itself reports."""


class NoTransitionError(FsmError, MachineError):
    """A state wants to move forward and no transition leaves it."""

    def __init__(self, state: str, trigger: str = "next") -> None:
        self.state = state
        MachineError.__init__(
            self,
            f"No transition with trigger {trigger!r} leaves state {state!r}: declare one in `transitions`, "
            f"or end the state with Status.END or a waiting status.",
        )

    def __str__(self) -> str:
        return str(self.value)


class ConditionsFalseError(FsmError):
    """A state wants to move forward and the conditions of all its transitions are false."""

    def __init__(self, state: str, results: dict[str, object]) -> None:
        self.state = state
        self.results = results
        said = ", ".join(f"{name}() returned {value!r}"[:200] for name, value in results.items()) or "none"
        odd = any(not isinstance(value, bool) for value in results.values())
        super().__init__(
            f"No transition out of state {state!r} is open: {said}. "
            + ("A condition must return True or False. " if odd else "")
            + "Declare a last transition without conditions, or make one of the conditions hold."
        )


class StateUnfinishedError(FsmError):
    """A state returned with Status.WAIT_FOR_ME, so nothing could ever move it on."""

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(
            f"State {state!r} ended with Status.WAIT_FOR_ME: set MOVE_FORWARD, WAIT_FOR_USER_INPUT, "
            f"WAIT_FOR_CALLBACK or END as the last line of on_enter_{state}."
        )


class TooManyStepsError(FsmError):
    """A turn took more steps than a machine may take: a cycle of states that never waits."""

    def __init__(self, limit: int, recent: list[str]) -> None:
        super().__init__(
            f"The turn took more than {limit} steps without waiting; the last states were "
            f"{' -> '.join(recent)}. End one of them with a waiting status or raise `max_steps` of the class."
        )


class SessionStateError(FsmError, ValueError):
    """A saved state does not fit this revision of the bot."""


class VariableError(FsmError, ValueError):
    """A variable cannot be saved, restored or set; the message names it."""


class PluginError(FsmError, ValueError):
    """A plugin is unknown or answered with something that its caller cannot use."""


class ExpressionError(FsmError, ValueError):
    """An expression of a task is not one of those that may be evaluated."""


class BotNotFoundError(FsmError):
    """A bundle holds no bot, or several and none is named."""


class OutputError(FsmError, ValueError):
    """A message cannot be sent as it is."""
