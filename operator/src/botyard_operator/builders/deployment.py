"""The Deployment of a Bot.

One pod is an init container that fetches and verifies the bundle, a supervisor that speaks with Redis, and a worker
that imports the bundle. Only the supervisor sees the platform's credentials: the worker's container mounts neither
them nor the configuration, and gets what a turn needs over the socket.
"""

from __future__ import annotations

from botyard.contract import names
from botyard_operator.annotations import ARTIFACT_DIGEST, LAYER_DIGEST
from botyard_operator.builders.inputs import BotInputs
from botyard_operator.builders.labels import child, labels, selector_labels
from botyard_operator.builders.pod_security import restricted_container, restricted_pod
from botyard_operator.builders.pod_template import patched
from botyard_operator.builders.secret import token_entry
from botyard_operator.reconcile.base import JsonObject

USER = 65532
"""The unprivileged user and group that runtime images run as."""

_LONGEST_DRAIN_SECONDS = 45.0
_DRAIN_MARGIN_SECONDS = 15


def deployment(inputs: BotInputs) -> JsonObject:
    """Return the Deployment that runs a Bot.

    Raises:
        PodTemplateRefused: The user's patch of the pod template cannot be taken over.
    """
    obj = child(inputs, api_version="apps/v1", kind="Deployment", name=inputs.name)
    obj["spec"] = {
        "replicas": inputs.replicas,
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": inputs.progress_deadline_seconds,
        "selector": {"matchLabels": selector_labels(inputs.name)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": patched(_template(inputs), inputs.pod_template, bot=inputs.name),
    }
    return obj


def _template(inputs: BotInputs) -> JsonObject:
    return {
        "metadata": {
            "labels": labels(inputs.name),
            "annotations": {
                "kubectl.kubernetes.io/default-container": "worker",
                names.ANNOTATION_REVISION: inputs.artifact.revision,
                ARTIFACT_DIGEST: inputs.artifact.digest,
                **({LAYER_DIGEST: inputs.layer.digest} if inputs.layer is not None else {}),
                names.ANNOTATION_HASH: inputs.config_hash(),
            },
        },
        "spec": _pod(inputs),
    }


def _pod(inputs: BotInputs) -> JsonObject:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(USER),
        # A turn that is cut off runs again elsewhere; a short one gets the time to finish.
        "terminationGracePeriodSeconds": int(min(inputs.config.limits.turn_timeout_seconds, _LONGEST_DRAIN_SECONDS))
        + _DRAIN_MARGIN_SECONDS,
        "initContainers": [_fetch(inputs)],
        "containers": [_supervisor(inputs), _worker(inputs)],
        "volumes": _volumes(inputs),
    }


def _container(inputs: BotInputs, name: str, command: str) -> JsonObject:
    return {
        "name": name,
        "image": inputs.runtime_image,
        "imagePullPolicy": inputs.image_pull_policy,
        "args": [command],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": restricted_container(),
    }


def _fetch(inputs: BotInputs) -> JsonObject:
    return {
        **_container(inputs, "fetch", "fetch"),
        "env": [
            {"name": names.ENV_ARTIFACT_URL, "value": inputs.artifact.url},
            {"name": names.ENV_ARTIFACT_DIGEST, "value": inputs.artifact.digest},
            *_layer_environment(inputs),
        ],
        "resources": {
            "requests": {"cpu": "10m", "memory": "48Mi"},
            "limits": {"memory": "256Mi"},
        },
        "volumeMounts": [
            {"name": "bundle", "mountPath": names.BUNDLE_DIR},
            *([{"name": "layer", "mountPath": names.LAYER_DIR}] if inputs.layer is not None else ()),
            {"name": "artifact-token", "mountPath": names.PLATFORM_DIR, "readOnly": True},
            {"name": "fetch-tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
        ],
    }


def _supervisor(inputs: BotInputs) -> JsonObject:
    shards = range(names.PERSONA_SHARDS)
    return {
        **_container(inputs, "supervisor", "supervisor"),
        "env": [
            {"name": names.ENV_REPLICA, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": names.ENV_REVISION, "value": inputs.artifact.revision},
        ],
        "ports": [{"name": "http", "containerPort": names.SUPERVISOR_PORT, "protocol": "TCP"}],
        "startupProbe": _probe("/readyz", period=1, failures=120),
        "readinessProbe": _probe("/readyz", period=1, failures=3),
        "livenessProbe": _probe("/healthz", period=10, failures=3),
        "resources": {
            "requests": {"cpu": "50m", "memory": "96Mi"},
            "limits": {"memory": "512Mi"},
        },
        "volumeMounts": [
            {"name": "config", "mountPath": names.CONFIG_DIR, "readOnly": True},
            *({"name": f"personas-{n}", "mountPath": f"{names.PERSONAS_DIR}/{n}", "readOnly": True} for n in shards),
            {"name": "credentials", "mountPath": names.CREDENTIALS_DIR, "readOnly": True},
            {"name": "persona-secrets", "mountPath": names.PERSONA_SECRETS_DIR, "readOnly": True},
            *([{"name": "model", "mountPath": names.MODEL_KEYS_DIR, "readOnly": True}] if _has_model(inputs) else ()),
            {"name": "platform", "mountPath": names.PLATFORM_DIR, "readOnly": True},
            {"name": "bundle", "mountPath": names.BUNDLE_DIR, "readOnly": True},
            {"name": "socket", "mountPath": names.SOCKET_DIR},
            {"name": "supervisor-tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
        ],
    }


def _worker(inputs: BotInputs) -> JsonObject:
    container = _container(inputs, "worker", "worker-host")
    if inputs.resources:
        container["resources"] = inputs.resources
    container["volumeMounts"] = [
        {"name": "bundle", "mountPath": names.BUNDLE_DIR, "readOnly": True},
        *([{"name": "layer", "mountPath": names.LAYER_DIR, "readOnly": True}] if inputs.layer is not None else ()),
        {"name": "socket", "mountPath": names.SOCKET_DIR},
        {"name": "worker-tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
    ]
    return container


def _probe(path: str, *, period: int, failures: int) -> JsonObject:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period,
        "timeoutSeconds": 5 if period > 1 else 2,
        "failureThreshold": failures,
    }


def _volumes(inputs: BotInputs) -> list[JsonObject]:
    platform = names.platform_name(inputs.name)
    return [
        {"name": "bundle", "emptyDir": {}},
        *([{"name": "layer", "emptyDir": {}}] if inputs.layer is not None else ()),
        {"name": "socket", "emptyDir": {"sizeLimit": "16Mi"}},
        {"name": "fetch-tmp", "emptyDir": {}},
        {"name": "supervisor-tmp", "emptyDir": {}},
        {"name": "worker-tmp", "emptyDir": {}},
        {"name": "config", "configMap": {"name": names.config_map_name(inputs.name)}},
        *(
            {
                "name": f"personas-{n}",
                # All but the first may come into being while the pod runs.
                "configMap": {"name": names.persona_shard_name(inputs.name, n), "optional": n > 0},
            }
            for n in range(names.PERSONA_SHARDS)
        ),
        {"name": "credentials", "secret": {"secretName": names.credentials_name(inputs.name)}},
        # Comes into being with the first Persona that keeps something in a Secret.
        {
            "name": "persona-secrets",
            "secret": {"secretName": names.persona_secrets_name(inputs.name), "optional": True},
        },
        *([_model_keys(inputs)] if _has_model(inputs) else ()),
        {"name": "platform", "secret": _secret_entry(platform, names.REDIS_URL_FILE, names.REDIS_URL_FILE)},
        {
            "name": "artifact-token",
            # The entry is that of the template's own artifact: pods of an older template find theirs, too.
            "secret": _artifact_tokens(inputs, platform),
        },
    ]


def _has_model(inputs: BotInputs) -> bool:
    return inputs.config.model is not None


def _model_keys(inputs: BotInputs) -> JsonObject:
    # Optional: a pod of this template that starts anew after the model was taken out of the spec does so without keys.
    return {"name": "model", "secret": {"secretName": names.model_keys_name(inputs.name), "optional": True}}


def _layer_environment(inputs: BotInputs) -> list[JsonObject]:
    if inputs.layer is None:
        return []
    return [
        {"name": names.ENV_LAYER_URL, "value": inputs.layer.url},
        {"name": names.ENV_LAYER_DIGEST, "value": inputs.layer.digest},
    ]


def _artifact_tokens(inputs: BotInputs, secret: str) -> JsonObject:
    mounted = _secret_entry(secret, token_entry(inputs.artifact.digest), names.ARTIFACT_TOKEN_FILE)
    if inputs.layer is not None:
        mounted["items"].append({"key": token_entry(inputs.layer.digest), "path": names.LAYER_TOKEN_FILE})
    return mounted


def _secret_entry(secret: str, key: str, path: str) -> JsonObject:
    return {"secretName": secret, "items": [{"key": key, "path": path}]}
