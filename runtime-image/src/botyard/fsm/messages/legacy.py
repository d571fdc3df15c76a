"""Classes of the 0.1 dialect."""

from typing import Any

from pydantic import BaseModel, model_validator


class MessageData(BaseModel):
    """The texts of a message."""

    header: str | None = None
    body: str
    footer: str | None = None


class OptionsListType(BaseModel):
    """One choice of a message."""

    id: str
    title: str

    @model_validator(mode="before")
    @classmethod
    def _accept_option(cls, value: Any) -> Any:
        if isinstance(value, BaseModel) and hasattr(value, "option_id"):
            return {"id": value.option_id, "title": getattr(value, "option_text", "")}
        if isinstance(value, dict) and "option_id" in value:
            return {"id": value["option_id"], "title": value.get("option_text", "")}
        return value

    @property
    def option_id(self) -> str:
        """The id under its name in the 0.2 dialect."""
        return self.id

    @property
    def option_text(self) -> str:
        """The title under its name in the 0.2 dialect."""
        return self.title


class UploadFile(BaseModel):
    """A file of the machine's file system to send."""

    path: str
    mime_type: str
    filename: str
