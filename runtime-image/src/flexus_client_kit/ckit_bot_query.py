"""A Persona as bots see it."""

from botyard.loop.personas import FPersonaOutput
from botyard.loop.threads import FThreadWithMessages

__all__ = ["FPersonaOutput", "FThreadWithMessages"]
