"""The parsers under the module that defined them."""

import json
import os
from pathlib import Path

from botyard.fsm import LLMManager, OptionParser, Parser
from botyard.fsm.parsers import SYSTEM_PROMPT

__all__ = ["SYSTEM_PROMPT", "LLMManager", "OptionParser", "Parser", "Path", "json", "os"]
