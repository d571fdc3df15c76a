"""What can be wrong with a bundle's documents or a question to them."""


class RetrievalError(Exception):
    """A question cannot be answered; the message says what to change."""
