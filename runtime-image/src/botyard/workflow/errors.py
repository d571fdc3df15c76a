"""What can be wrong with a workflow bundle."""


class NoWorkflowFound(AttributeError):
    """A module holds nothing that is marked as a workflow."""


class BundleResultError(ValueError):
    """`execute_core` returned something that is no result."""


class UnknownOperation(LookupError):
    """A request names an operation that the workflow does not declare."""


class RegistryError(ValueError):
    """A registry of bundles cannot be used; the message names the entry at fault. The former one stays in force."""


class GitBundleError(RuntimeError):
    """A bundle cannot be had from git; the message says why, without credentials."""


class StorageError(Exception):
    """The storage cannot be used, or not with this path; the message says why."""
