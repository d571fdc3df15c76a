"""The parsers."""

from botyard.fsm import OptionParser, Parser
from jb_manager_bot.parsers import option_parser as option_parser
from jb_manager_bot.parsers import utils as utils

__all__ = ["OptionParser", "Parser"]
