"""The few calls to the API server that bringing a cluster up takes."""

import http.client
import json
import ssl
from typing import Any

from localcluster.errors import ClusterError
from localcluster.layout import NODE_IP, Layout

FIELD_MANAGER = "localcluster"


class Api:
    """A client that logs in as the administrator."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        self._context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")

    def request(self, method: str, path: str, body: Any = None, content_type: str = "") -> tuple[int, bytes]:
        """Make one call.

        Returns:
            The HTTP status and the body; status 0 where the server does not answer.
        """
        connection = http.client.HTTPSConnection(
            NODE_IP, self._layout.ports.apiserver, timeout=5, context=self._context
        )
        try:
            headers = {"Content-Type": content_type} if content_type else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def get(self, path: str) -> dict[str, Any]:
        """Return an object; empty where there is none or no answer."""
        status, body = self.request("GET", path)
        if status != http.client.OK:
            return {}
        result: dict[str, Any] = json.loads(body)
        return result

    def is_ready(self) -> bool:
        """Whether the API server says that it is ready."""
        return self.request("GET", "/readyz")[0] == http.client.OK

    def apply(self, path: str, manifest: dict[str, Any]) -> None:
        """Server-side apply an object.

        Raises:
            ClusterError: The API server refuses it.
        """
        status, body = self.request(
            "PATCH", f"{path}?fieldManager={FIELD_MANAGER}&force=true", manifest, "application/apply-patch+yaml"
        )
        if status not in (http.client.OK, http.client.CREATED):
            raise ClusterError(f"The API server refuses {path} ({status}): {body.decode(errors='replace')[:500]}")

    def node_is_ready(self, name: str) -> bool:
        """Whether the node's Ready condition is True."""
        return _condition(self.get(f"/api/v1/nodes/{name}"), "Ready")

    def deployment_is_available(self, namespace: str, name: str) -> bool:
        """Whether the Deployment's latest generation is Available."""
        found = self.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
        observed = found.get("status", {}).get("observedGeneration", -1)
        return bool(observed == found.get("metadata", {}).get("generation") and _condition(found, "Available"))


def _condition(document: dict[str, Any], kind: str) -> bool:
    conditions = document.get("status", {}).get("conditions", [])
    return any(item["type"] == kind and item["status"] == "True" for item in conditions)
