"""The logger of a bundle."""

import logging
from typing import Any


class BundleLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger that also takes `log(message, level)`, as bundles write it."""

    def __init__(self, name: str) -> None:
        super().__init__(logging.getLogger(f"bundle.{name}"), {})

    def log(self, level: Any, msg: Any = "INFO", *args: Any, **kwargs: Any) -> None:
        """Log a message: `log(logging.INFO, "text")` or `log("text", "INFO")`."""
        if isinstance(level, str):
            known = logging.getLevelNamesMapping()
            level, msg = known.get(str(msg).upper(), logging.INFO), level
            super().log(level, msg, **kwargs)
            return
        super().log(level, msg, *args, **kwargs)
