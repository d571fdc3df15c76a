"""The manifest of a bundle: what its code says about itself, and what is wrong with it."""

from hashlib import sha256
from typing import Any, Literal

from pydantic import Field

from botyard.contract.base import Document
from botyard.contract.bot import Entrypoint, ProgrammingModel
from botyard.contract.machine import MachineShape

FORMAT = 1
"""Raised when a reader of an older manifest would misread a newer one."""


class Finding(Document):
    """One thing that is wrong, or looks so."""

    severity: Literal["error", "warning"]
    """With an error the bundle does not become a revision; a warning is only told."""
    code: str
    """What kind of fault; docs/fsm.md lists those of machines."""
    subject: str
    """The state, condition, file or name at fault."""
    message: str
    where: str = ""
    """`file:line` of the bundle."""
    fix: str = ""
    """What to do."""


class Transition(Document):
    """One way between two states of a machine."""

    source: str
    dest: str | None = None
    """None for a transition that stays in its state without entering it again."""
    trigger: str = "next"
    conditions: tuple[str, ...] = ()
    """In their order; those that must not hold begin with "!"."""


class Credential(Document):
    """A credential that the code reads."""

    name: str
    required: bool
    """The code reads it by index, or raises where it is missing."""
    default: str | None = None
    """What the code takes instead, where it says so."""
    where: str = ""
    """`file:line` of the first use."""


class Machine(Document):
    """What only bundles of the FSM model have."""

    states: tuple[str, ...]
    transitions: tuple[Transition, ...]
    variables: dict[str, Any] | None = None
    """JSON schema of the declared variables; None where they are a dict."""
    outputs: tuple[str, ...] = ()
    """Variables that the machine hands to its caller when it runs as a plugin."""
    plugins: tuple[str, ...] = ()
    nested: dict[str, MachineShape] = Field(default_factory=dict)
    """States and variables of the plugins that are machines."""

    def shape(self) -> MachineShape:
        """Return what saved sessions must fit."""
        return MachineShape(states=self.states, variables=self.variables, nested=self.nested)


class Manifest(Document):
    """What inspection found in a bundle."""

    format: int = FORMAT
    model: ProgrammingModel | None = None
    """None where it cannot be told; a finding says why."""
    name: str = ""
    """Name that the code gives itself."""
    version: str = ""
    """Version that the code gives itself; empty where it gives none."""
    entrypoint: Entrypoint = Entrypoint()
    """Where the bot was found: module and symbol are filled in."""
    credentials: tuple[Credential, ...] = ()
    """As far as the code names them; names that are put together at run time are not found."""
    machine: Machine | None = None
    findings: tuple[Finding, ...] = ()
    extra: dict[str, Any] = Field(default_factory=dict)
    """What other programming models say of themselves."""

    @property
    def sound(self) -> bool:
        """Tell whether there is no error among the findings."""
        return not any(finding.severity == "error" for finding in self.findings)

    def digest(self) -> str:
        """Return the digest of the canonical JSON, as `sha256:…`: equal for equal manifests."""
        return "sha256:" + sha256(self.to_json().encode()).hexdigest()
