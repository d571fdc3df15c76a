"""Why a model call was refused or failed, in words for the bot's author and its user."""

from typing import Any

from botyard.budget.errors import BudgetError


class ModelError(Exception):
    """A model call that gave no answer.

    Attributes:
        code: Documented code, such as `model_timeout`.
        status: HTTP status that a client of the metered endpoint sees.
        billed: The provider may have done, and may charge, what was asked; the call's reservation is spent.
    """

    def __init__(self, message: str, *, code: str, status: int, billed: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.billed = billed

    def body(self) -> dict[str, Any]:
        """Return the error as the OpenAI protocol writes it."""
        return {"error": {"message": str(self), "type": "botyard_error", "param": None, "code": self.code}}


class BadRequest(ModelError):
    """The request cannot be sent as it is."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="bad_request", status=400)


class NoModel(ModelError):
    """The Bot declares no model."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="no_model", status=404)


class Unauthorized(ModelError):
    """The caller is unknown."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="unauthorized", status=401)


class NotAttributed(ModelError):
    """Nobody can be charged for the call."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="not_attributed", status=400)


class ProviderRefused(ModelError):
    """The provider answered with an error that another try would not mend."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message, code="provider_refused", status=status)


class ProviderUnavailable(ModelError):
    """The provider cannot be reached, or failed on every try."""

    def __init__(self, message: str, *, status: int = 502) -> None:
        super().__init__(message, code="provider_unavailable", status=status)


class ProviderBroke(ModelError):
    """The provider began to answer and did not end as it should."""

    def __init__(self, message: str, *, status: int = 502) -> None:
        super().__init__(message, code="provider_broke", status=status, billed=True)


class ModelTimeout(ModelError):
    """The provider took the request and was silent for too long."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="model_timeout", status=504, billed=True)


class CircuitOpen(ModelError):
    """The provider failed too often a moment ago, so it is left alone."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="circuit_open", status=503)


class ModelBusy(ModelError):
    """Too many calls of this model wait already."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="model_busy", status=429)


class BudgetRefused(ModelError):
    """The call was refused before it was made, because of what it could cost.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: BudgetError) -> None:
        # 402, since clients try again after the 429 that other platforms answer.
        status = 503 if reason.kind == "LedgerUnavailable" else 402
        super().__init__(str(reason), code=_snake(reason.kind), status=status)
        self.reason = reason


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


class NoRuleMatches(ModelError):
    """The model script says nothing to this request."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="no_rule_matches", status=400)
