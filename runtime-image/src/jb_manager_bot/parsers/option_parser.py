"""The parsers under the module that defined them."""

from botyard.fsm import LLMManager, OptionParser, Parser

__all__ = ["LLMManager", "OptionParser", "Parser"]
