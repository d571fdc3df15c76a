"""The parsers."""

from botyard.fsm import OptionParser, Parser

__all__ = ["OptionParser", "Parser"]
