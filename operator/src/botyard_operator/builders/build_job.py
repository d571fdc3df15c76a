"""What a build runs in: a Job of one pod with two containers, its tokens, and a NetworkPolicy around it.

The container `courier` holds the tokens and runs Botyard's code alone; the container `builder` runs `setup.py` and
the bundle's own code, and has nothing but the address of the package index at the operator, with a token that is good
for reading it while this build runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from botyard.contract import names
from botyard.contract.build import BuildRequest
from botyard_operator.builders.jobs import (
    KEEP_SECONDS,
    job_container,
    job_labels,
    job_pod,
    only_the_operator,
    owned_object,
    token_secret,
)
from botyard_operator.builders.labels import owner_reference
from botyard_operator.reconcile.base import JsonObject

COMPONENT = "build"
_SLACK_SECONDS = 300
"""Beyond the build's own limits: scheduling, pulling the image, fetching and delivering."""
_INDEX_ENTRY = "index-url"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInputs:
    """Everything that the objects of a build are made from."""

    bundle: str
    namespace: str
    uid: str
    request: BuildRequest
    source_token: str
    build_token: str
    index_token: str
    image: str
    image_pull_policy: str
    system_namespace: str
    network_policy: bool = True
    memory: str = "2Gi"
    """Limit of the builder's container."""

    def __repr__(self) -> str:
        return f"BuildInputs({self.namespace}/{self.bundle}, {self.request.id[:12]})"


def job_name(bundle: str, build: str) -> str:
    """Return the name of a build's Job: at most 63 characters, because the pods' labels carry it."""
    return f"{bundle[:44].rstrip('-')}-build-{build[:10]}"


def build_objects(inputs: BuildInputs) -> list[JsonObject]:
    """Return what a build needs, in the order in which it is applied; the Job comes last."""
    policy = _network_policy(inputs)
    return [_secret(inputs), *([policy] if policy is not None else []), _job(inputs)]


def manifest_config_map(bundle: str, namespace: str, uid: str, manifest: str, machines: str) -> JsonObject:
    """Return the ConfigMap that holds a Bundle's whole manifest.

    Args:
        bundle: The Bundle's name.
        namespace: Its namespace.
        uid: Its uid.
        manifest: The manifest as JSON.
        machines: The machines of the revisions that the Bundle keeps, as JSON.
    """
    return {
        **_object("v1", "ConfigMap", names.manifest_name(bundle), bundle, namespace, uid),
        "data": {names.MANIFEST_FILE: manifest, names.MACHINES_FILE: machines},
    }


def index_url(request: BuildRequest, token: str) -> str:
    """Return the package index as a build reaches it: at the operator."""
    parts = urlsplit(request.url)
    return f"{parts.scheme}://build:{token}@{parts.netloc}{parts.path}/index/simple/"


def _object(api_version: str, kind: str, name: str, bundle: str, namespace: str, uid: str) -> JsonObject:
    labels, owner = job_labels(COMPONENT, names.LABEL_BUNDLE, bundle), owner_reference(bundle, uid, "Bundle")
    return owned_object(api_version, kind, name, namespace=namespace, labels=labels, owner=owner)


def _secret(inputs: BuildInputs) -> JsonObject:
    entries = {
        names.ARTIFACT_TOKEN_FILE: inputs.source_token,
        names.BUILD_TOKEN_FILE: inputs.build_token,
        _INDEX_ENTRY: index_url(inputs.request, inputs.index_token),
    }
    obj = _object("v1", "Secret", names.build_name(inputs.bundle), inputs.bundle, inputs.namespace, inputs.uid)
    return token_secret(obj, entries)


def _network_policy(inputs: BuildInputs) -> JsonObject | None:
    """Return the policy, if the installation has them: nobody in; out to names and the operator alone."""
    if not inputs.network_policy:
        return None
    name = names.build_name(inputs.bundle)
    obj = _object("networking.k8s.io/v1", "NetworkPolicy", name, inputs.bundle, inputs.namespace, inputs.uid)
    labels = {"app.kubernetes.io/component": COMPONENT, names.LABEL_BUNDLE: inputs.bundle}
    obj["spec"] = only_the_operator(labels, inputs.system_namespace)
    return obj


def _job(inputs: BuildInputs) -> JsonObject:
    limits = inputs.request.limits
    name = job_name(inputs.bundle, inputs.request.id)
    obj = _object("batch/v1", "Job", name, inputs.bundle, inputs.namespace, inputs.uid)
    obj["spec"] = {
        # The operator itself tries again, with growing pauses and where it may help.
        "backoffLimit": 0,
        "activeDeadlineSeconds": int(limits.install_seconds + limits.inspect_seconds) + _SLACK_SECONDS,
        "ttlSecondsAfterFinished": KEEP_SECONDS,
        "template": {
            "metadata": {
                "labels": job_labels(COMPONENT, names.LABEL_BUNDLE, inputs.bundle),
                "annotations": {"kubectl.kubernetes.io/default-container": "builder"},
            },
            "spec": job_pod(containers=[_courier(inputs), _builder(inputs)], volumes=_volumes(inputs)),
        },
    }
    return obj


def _container(inputs: BuildInputs, name: str, command: str) -> JsonObject:
    return {
        **job_container(name, [command], image=inputs.image, pull_policy=inputs.image_pull_policy),
        "env": [{"name": names.ENV_BUILD, "value": inputs.request.to_json()}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _courier(inputs: BuildInputs) -> JsonObject:
    return {
        **_container(inputs, "courier", "build-courier"),
        "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [
            {"name": "bundle", "mountPath": names.BUNDLE_DIR},
            {"name": "layer", "mountPath": names.LAYER_DIR},
            {"name": "exchange", "mountPath": names.BUILD_DIR},
            {"name": "tokens", "mountPath": names.PLATFORM_DIR, "readOnly": True},
            {"name": "courier-tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
        ],
    }


def _builder(inputs: BuildInputs) -> JsonObject:
    container = {
        **_container(inputs, "builder", "builder"),
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": inputs.memory}},
        "volumeMounts": [
            {"name": "bundle", "mountPath": names.BUNDLE_DIR, "readOnly": True},
            {"name": "layer", "mountPath": names.LAYER_DIR},
            {"name": "exchange", "mountPath": names.BUILD_DIR},
            {"name": "builder-tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
        ],
    }
    if inputs.request.requirements:
        container["volumeMounts"].append({"name": "index", "mountPath": names.INDEX_DIR, "readOnly": True})
    return container


def _volumes(inputs: BuildInputs) -> list[JsonObject]:
    secret = names.build_name(inputs.bundle)

    def entries(*pairs: tuple[str, str]) -> JsonObject:
        return {"secretName": secret, "items": [{"key": key, "path": path} for key, path in pairs]}

    tokens = [(name, name) for name in (names.ARTIFACT_TOKEN_FILE, names.BUILD_TOKEN_FILE)]
    volumes: list[JsonObject] = [
        *({"name": name, "emptyDir": {}} for name in ("bundle", "layer", "courier-tmp", "builder-tmp")),
        {"name": "exchange", "emptyDir": {"sizeLimit": "64Mi"}},
        {"name": "tokens", "secret": entries(*tokens)},
    ]
    if inputs.request.requirements:
        volumes.append({"name": "index", "secret": entries((_INDEX_ENTRY, names.INDEX_URL_FILE))})
    return volumes
