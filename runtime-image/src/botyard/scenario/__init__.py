"""Scenario tests: conversations written down in YAML and held against a bot, without Redis and without a cluster."""

from botyard.scenario.document import Scenario, ScenarioError
from botyard.scenario.files import load_file
from botyard.scenario.runner import Result, run_scenario

__all__ = ["Result", "Scenario", "ScenarioError", "load_file", "run_scenario"]
