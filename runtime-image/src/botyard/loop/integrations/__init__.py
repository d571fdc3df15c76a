"""Integrations: tools that a bot takes over by name, with handlers that the platform has.

A maker gives an `Integration`: its tools, and what is done when a Persona's loop begins. One that cannot work here
says so when its tool is called; it never keeps a bot from starting.
"""

from botyard.loop.integrations.registry import Integration, Settings, UnknownIntegration, make, names

__all__ = ["Integration", "Settings", "UnknownIntegration", "make", "names"]
