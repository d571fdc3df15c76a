"""Bodies of files."""

from pydantic import Field

from botyard.gateway.models.base import Answer, Body


class FileReference(Body):
    """A file that the message refers to, by id or by url; the content itself is never part of a message."""

    id: str | None = Field(
        default=None, min_length=1, max_length=64, description="A file that was sent here, instead of `url`."
    )
    name: str = Field(default="", max_length=255, description="File name that the user sees; needed with `url`.")
    url: str | None = Field(
        default=None, min_length=1, max_length=4096, pattern=r"^https?://", description="Where the bot can fetch it."
    )
    type: str = Field(default="", max_length=255, description="Media type, for example `image/png`.")
    size: int | None = Field(default=None, ge=0, description="Bytes.")


class FileAnswer(Answer):
    """A file that is kept."""

    id: str = Field(description="For `files` of messages.")
    name: str
    type: str = Field(description="Media type.")
    size: int = Field(description="Bytes.")
    sha256: str
