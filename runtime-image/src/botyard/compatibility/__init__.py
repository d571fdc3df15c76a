"""Which stored sessions a revision of an FSM bundle cannot go on with (docs/fsm.md, "New revisions")."""

from botyard.compatibility.apart import CensusFailed, take_census_apart
from botyard.compatibility.census import Census, Group, take_census
from botyard.compatibility.rules import Judge, Misfit, MisfitKind

__all__ = ["Census", "CensusFailed", "Group", "Judge", "Misfit", "MisfitKind", "take_census", "take_census_apart"]
