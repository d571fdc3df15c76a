"""A small client for tests: plain requests with plain objects, errors as the API server words them."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

Object = dict[str, Any]

_PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ConfigMap": "configmaps",
    "CustomResourceDefinition": "customresourcedefinitions",
    "Deployment": "deployments",
    "Lease": "leases",
    "Namespace": "namespaces",
    "Persona": "personas",
    "Bot": "bots",
    "Bundle": "bundles",
    "Pod": "pods",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Scale": "scales",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
}


class Refused(Exception):
    """The API server refused a request.

    Attributes:
        code: HTTP status.
        reason: Kubernetes' word for it, such as Invalid or NotFound.
        message: The whole text.
    """

    def __init__(self, code: int, reason: str, message: str) -> None:
        self.code = code
        self.reason = reason
        self.message = message
        super().__init__(f"{code} {reason}: {message}")


class Client:
    """Talks to an API server with a bearer token."""

    def __init__(self, url: str, token: str, ca: str, user_agent: str = "botyard-tests") -> None:
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}", "User-Agent": user_agent},
            verify=ssl.create_default_context(cadata=ca),
            timeout=30.0,
            trust_env=False,
        )

    @classmethod
    def from_kubeconfig(cls, path: Path, user_agent: str = "botyard-tests") -> Self:
        """Return a client for the token and server of a kubeconfig that `ApiServer` wrote."""
        config = yaml.safe_load(path.read_text())
        cluster = config["clusters"][0]["cluster"]
        authority = Path(cluster["certificate-authority"]).read_text()
        return cls(cluster["server"], config["users"][0]["user"]["token"], authority, user_agent)

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Object:
        """Send one request and return the object of the answer.

        Raises:
            Refused: The answer is no success.
        """
        headers = {"Content-Type": content_type} if body is not None else {}
        response = self._http.request(method, path, json=body, params=params, headers=headers)
        if response.is_success:
            document: Object = response.json()
            return document
        try:
            status = response.json()
        except ValueError:
            status = {}
        raise Refused(response.status_code, status.get("reason", ""), status.get("message", response.text))

    def create(self, obj: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Create an object and return it as it was stored; unknown fields are refused, as kubectl does."""
        params = {"fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        return self.request("POST", _collection(obj), body=obj, params=params)

    def get(self, obj: Mapping[str, Any], *, subresource: str = "") -> Object:
        """Return the present state of the object that `obj` names."""
        return self.request("GET", _item(obj, subresource))

    def list(self, obj: Mapping[str, Any]) -> "list[Object]":
        """Return the objects of the kind and namespace of `obj`."""
        items: list[Object] = self.request("GET", _collection(obj))["items"]
        return items

    def replace(self, obj: Mapping[str, Any], *, subresource: str = "", dry_run: bool = False) -> Object:
        """Put an object in the place of its former version."""
        return self.request("PUT", _item(obj, subresource), body=obj, params={"dryRun": "All"} if dry_run else None)

    def patch(
        self, obj: Mapping[str, Any], patch: Mapping[str, Any], *, subresource: str = "", dry_run: bool = False
    ) -> Object:
        """Apply a merge patch to the object that `obj` names."""
        return self.request(
            "PATCH",
            _item(obj, subresource),
            body=patch,
            params={"dryRun": "All"} if dry_run else None,
            content_type="application/merge-patch+json",
        )

    def apply(self, obj: Mapping[str, Any], *, manager: str = "botyard-tests", force: bool = True) -> Object:
        """Apply an object on the server's side."""
        return self.request(
            "PATCH",
            _item(obj),
            body=obj,
            params={"fieldManager": manager, "force": str(force).lower()},
            content_type="application/apply-patch+yaml",
        )

    def delete(self, obj: Mapping[str, Any]) -> None:
        """Delete the object that `obj` names; one that is gone already is fine."""
        try:
            self.request("DELETE", _item(obj))
        except Refused as error:
            if error.code != 404:
                raise

    def delete_collection(self, obj: Mapping[str, Any]) -> None:
        """Delete all objects of the kind and namespace of `obj`."""
        self.request("DELETE", _collection(obj))


def _collection(obj: Mapping[str, Any]) -> str:
    version = obj["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = obj.get("metadata", {}).get("namespace")
    middle = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{middle}/{_PLURALS[obj['kind']]}"


def _item(obj: Mapping[str, Any], subresource: str = "") -> str:
    path = f"{_collection(obj)}/{obj['metadata']['name']}"
    return f"{path}/{subresource}" if subresource else path
