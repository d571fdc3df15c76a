"""Loop bots: a main loop for each Persona, tools for a model, tasks on a board, rows that change.

    from botyard.loop import CloudTool, FlexusClient, run_bots_in_this_group, shutdown_event

Bots of the existing kit import the same things as `flexus_client_kit`.
"""

from botyard.loop.arguments import parse_bot_args
from botyard.loop.client import FlexusClient, bot_service_name
from botyard.loop.context import RobotContext
from botyard.loop.declaration import run_bots_in_this_group
from botyard.loop.errors import NeedsConfirmation, TransportError, WaitForSubchats
from botyard.loop.install import FMarketplaceExpertInput
from botyard.loop.personas import FPersonaOutput
from botyard.loop.setup import mix as official_setup_mixing_procedure
from botyard.loop.shutdown import shutdown_event, wait
from botyard.loop.tasks import FPersonaKanbanTaskOutput
from botyard.loop.threads import FThreadMessageOutput, FThreadOutput
from botyard.loop.tools import CloudTool, FCloudtoolCall, ToolResult

__all__ = [
    "CloudTool",
    "FCloudtoolCall",
    "FMarketplaceExpertInput",
    "FPersonaKanbanTaskOutput",
    "FPersonaOutput",
    "FThreadMessageOutput",
    "FThreadOutput",
    "FlexusClient",
    "NeedsConfirmation",
    "RobotContext",
    "ToolResult",
    "TransportError",
    "WaitForSubchats",
    "bot_service_name",
    "official_setup_mixing_procedure",
    "parse_bot_args",
    "run_bots_in_this_group",
    "shutdown_event",
    "wait",
]
