"""Bodies of problems (RFC 9457)."""

from pydantic import Field

from botyard.gateway.models.base import Answer


class FieldError(Answer):
    """One thing wrong in a body."""

    pointer: str = Field(description="JSON pointer to the field.")
    detail: str
    nearest: str | None = Field(default=None, description="The field that was probably meant.")


class ProblemDetails(Answer):
    """Problem details of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()
