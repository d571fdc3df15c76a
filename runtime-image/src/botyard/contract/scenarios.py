"""What a pod that runs the scenarios of a revision tells the operator, in the message with which it ends."""

from pydantic import Field

from botyard.contract.base import Document

MAX_BYTES = 4000
"""What the kubelet keeps of a message is 4096 bytes."""
_MAX_TEXT = 300
_MAX_FAILURES = 5


class FailedScenario(Document):
    """A scenario that did not pass."""

    name: str
    where: str = ""
    """`file:line`."""
    problem: str = ""


class ScenarioReport(Document):
    """How the scenarios of a revision went."""

    total: int = Field(default=0, ge=0)
    failures: tuple[FailedScenario, ...] = ()
    """The first few."""
    failed: int = Field(default=0, ge=0)
    problem: str = ""
    """Why none could be run, such as a file that is no scenario."""

    @property
    def passed(self) -> bool:
        """Tell whether all of them did."""
        return not self.failed and not self.problem

    def message(self) -> str:
        """Return it as JSON of at most MAX_BYTES."""
        short = self.model_copy(
            update={
                "problem": self.problem[:_MAX_TEXT],
                "failures": tuple(
                    FailedScenario(
                        name=each.name[:_MAX_TEXT], where=each.where[:_MAX_TEXT], problem=each.problem[:_MAX_TEXT]
                    )
                    for each in self.failures[:_MAX_FAILURES]
                ),
            }
        )
        while len(text := short.to_json().encode()) > MAX_BYTES:
            short = short.model_copy(update={"failures": short.failures[:-1]})
        return text.decode()
