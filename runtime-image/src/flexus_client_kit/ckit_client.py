"""What a bot makes to speak with the platform."""

from botyard.loop.client import FlexusClient, bot_service_name, marketplace_version_as_int, marketplace_version_as_str

__all__ = ["FlexusClient", "bot_service_name", "marketplace_version_as_int", "marketplace_version_as_str"]
