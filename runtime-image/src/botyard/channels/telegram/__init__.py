"""Telegram's Bot API: updates by webhook, messages with buttons, lists, forms and media."""

from botyard.channels.telegram.driver import TelegramDriver

__all__ = ["TelegramDriver"]
