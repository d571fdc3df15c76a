"""What can be wrong with a workflow bundle."""


class NoWorkflowFound(AttributeError):
    """A module holds nothing that is marked as a workflow."""


class BundleResultError(ValueError):
    """`execute_core` returned something that is no result."""


class UnknownOperation(LookupError):
    """A request names an operation that the workflow does not declare."""
