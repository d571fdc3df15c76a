"""The kinds that the operator reads or writes, and where the API server keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from botyard.contract import names


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of the API."""

    kind: str
    group: str
    version: str
    plural: str

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of the collection, the object or its subresource."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if namespace:
            parts.append(f"namespaces/{namespace}")
        parts.append(self.plural)
        parts.extend(part for part in (name, subresource) if part)
        return "/".join(parts)


BUNDLE = Resource("Bundle", names.GROUP, names.VERSION, "bundles")
BOT = Resource("Bot", names.GROUP, names.VERSION, "bots")
PERSONA = Resource("Persona", names.GROUP, names.VERSION, "personas")
DEPLOYMENT = Resource("Deployment", "apps", "v1", "deployments")
SERVICE = Resource("Service", "", "v1", "services")
CONFIG_MAP = Resource("ConfigMap", "", "v1", "configmaps")
SECRET = Resource("Secret", "", "v1", "secrets")
POD = Resource("Pod", "", "v1", "pods")
POD_DISRUPTION_BUDGET = Resource("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets")
NETWORK_POLICY = Resource("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies")
HORIZONTAL_POD_AUTOSCALER = Resource("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers")
JOB = Resource("Job", "batch", "v1", "jobs")
EVENT = Resource("Event", "", "v1", "events")
NAMESPACE = Resource("Namespace", "", "v1", "namespaces")
"""Not namespaced: its keys have no namespace."""
LEASE = Resource("Lease", "coordination.k8s.io", "v1", "leases")

OWN_KINDS = (BUNDLE, BOT, PERSONA)
"""The kinds that users write."""
CHILD_KINDS = (DEPLOYMENT, SERVICE, POD_DISRUPTION_BUDGET, NETWORK_POLICY)
"""Kinds watched by the Bot label only. Pods are watched the same way; Secrets and ConfigMaps whole, because specs refer
to ones that carry no label."""
WATCHED_KINDS = (*OWN_KINDS, *CHILD_KINDS, POD, CONFIG_MAP, SECRET)

ALL = {
    resource.kind: resource for resource in (*WATCHED_KINDS, HORIZONTAL_POD_AUTOSCALER, JOB, EVENT, LEASE, NAMESPACE)
}


def of(kind: str) -> Resource:
    """Return the resource of a kind.

    Raises:
        KeyError: The operator does not know the kind.
    """
    return ALL[kind]
