"""The file of channels: which there are, whose bots they belong to, and their secrets."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from botyard.channels.errors import ChannelsInvalid

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2048)]


class _Base(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: Name
    """Part of the channel's address and of its conversations' names."""
    bot: Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9.-]+$")]
    """NAMESPACE/NAME of the bot that it belongs to."""
    timeout_seconds: float = Field(default=20.0, alias="timeoutSeconds", gt=0, le=120)
    """For one request to the other side."""
    give_up_after_seconds: float = Field(default=86_400.0, alias="giveUpAfterSeconds", gt=0, le=604_800)
    """How long one message is tried before it is given up and the next one follows."""

    @property
    def namespace(self) -> str:
        """Of the bot."""
        return self.bot.partition("/")[0]

    @property
    def bot_name(self) -> str:
        """Of the bot, without its namespace."""
        return self.bot.partition("/")[2]


class WebhookChannel(_Base):
    """Any system that sends and takes signed HTTP requests."""

    type: Literal["webhook"]
    url: HttpUrl
    """Where the bot's outputs are posted to."""
    secret: SecretStr = Field(min_length=16)
    """Both sides sign with it (HMAC-SHA256)."""
    events: tuple[str, ...] = ("bot.message", "bot.language_change", "chat.error")
    """Types of outputs that are delivered."""


class Language(BaseModel):
    """A language that users may choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{2,16}$")]
    title: Annotated[str, Field(min_length=1, max_length=64)]


class TelegramChannel(_Base):
    """A bot of Telegram, by its Bot API with a webhook."""

    type: Literal["telegram"]
    token: SecretStr = Field(min_length=8)
    """Of the bot, as BotFather gives it."""
    secret: SecretStr = Field(min_length=16, max_length=256)
    """Telegram sends it with each update (`secret_token`)."""
    api: HttpUrl = "https://api.telegram.org"
    """Server of the Bot API."""
    public_url: str = Field(default="", alias="publicUrl", pattern=r"^(https?://[^\s]+)?$")
    """Where Telegram reaches this gateway; given, the webhook is set at start."""
    forms: dict[str, HttpUrl] = Field(default_factory=dict)
    """Addresses of Web Apps by the form's id."""
    languages: tuple[Language, ...] = ()
    """Offered where the bot asks for a language."""
    max_file_bytes: int = Field(default=700_000, alias="maxFileBytes", gt=0, le=20_000_000)
    """Largest file of a user that is handed to the bot; as text inside of the event, a third larger."""


Channel = Annotated[WebhookChannel | TelegramChannel, Field(discriminator="type")]


class Channels(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: tuple[Channel, ...] = Field(default=(), max_length=1_000)


def load(path: Path) -> tuple[WebhookChannel | TelegramChannel, ...]:
    """Return the channels of a YAML file.

    Raises:
        ChannelsInvalid: The file cannot be read or used; secrets are not part of the message.
    """
    try:
        found = Channels.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except OSError as error:
        raise ChannelsInvalid(f"cannot read {path}: {error.strerror}") from None
    except yaml.YAMLError:
        raise ChannelsInvalid(f"{path} is not YAML") from None
    except ValidationError as error:
        said = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)[:10]
        )
        raise ChannelsInvalid(f"{path}: {said}") from None
    names = [channel.name for channel in found.channels]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ChannelsInvalid(f"{path}: there are several channels named {', '.join(twice)}")
    return found.channels
