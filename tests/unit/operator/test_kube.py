"""What is read from the API server directly."""

from typing import Any

from botyard_operator import resources
from botyard_operator.caches import Caches
from botyard_operator.kube import KubeClient
from botyard_operator.metrics import Metrics
from tests.unit.operator.clocks import run


class Paged(KubeClient):
    """A client of a server that has two pages of everything."""

    def __init__(self) -> None:
        self._metrics = Metrics()
        self._caches = Caches()

    async def list(self, resource: resources.Resource, namespace: str | None, **parameters: Any) -> dict[str, Any]:
        if "continue" in parameters:
            return {"metadata": {}, "items": [{"metadata": {"name": "b"}}]}
        return {"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]}


def test_all_pages_of_what_is_selected_are_read() -> None:
    found = run(Paged().select("Pod", "shop", {"app": "x"}))
    assert [(each["kind"], each["metadata"]["name"]) for each in found] == [("Pod", "a"), ("Pod", "b")]
