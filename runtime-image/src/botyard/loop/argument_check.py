"""Arguments of calls held against the schema of their tool, before the handler sees them."""

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match

from botyard.loop.tools import BadArguments, CloudTool, FCloudtoolCall, parse_arguments

_OF_TYPES = ("type", "enum", "const", "minimum", "maximum", "pattern", "items")
"""What holds for every tool; what is missing or too much only a strict one refuses."""


class ArgumentCheck:
    """Checks the arguments of one tool's calls."""

    def __init__(self, tool: CloudTool) -> None:
        """Prepare; a schema that is none checks nothing, as its tool's handler knows better."""
        self._tool = tool
        self._validator: Draft202012Validator | None = None
        try:
            Draft202012Validator.check_schema(tool.parameters)
            self._validator = Draft202012Validator(tool.parameters)
        except (SchemaError, TypeError, AttributeError):
            return

    def problem_of(self, call: FCloudtoolCall) -> str:
        """Return what the model is told of arguments that do not fit; empty: they do."""
        try:
            arguments = parse_arguments(call)
        except BadArguments as error:
            return str(error)
        if self._validator is None:
            return ""
        errors = self._validator.iter_errors(arguments)
        found = best_match(error for error in errors if self._tool.strict or error.validator in _OF_TYPES)
        if found is None:
            return ""
        where = ".".join(map(str, found.absolute_path))
        said = f"{where}: {found.message}" if where else found.message
        return f"Arguments of {self._tool.name} do not fit its schema: {said[:500]}. Call it again."
