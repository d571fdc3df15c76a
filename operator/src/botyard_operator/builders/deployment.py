"""The Deployment of a Bot.

One pod is an init container that fetches and verifies the bundle, a supervisor that speaks with Redis, and a worker
that imports the bundle; where conversations end on an older revision, another pair of fetch and worker. Only the
supervisor sees the platform's credentials: a worker's container mounts neither
them nor the configuration, and gets what a turn needs over the socket.
"""

from __future__ import annotations

from botyard.contract import names
from botyard_operator.annotations import ARTIFACT_DIGEST, DRAINING_DIGEST, DRAINING_LAYER_DIGEST, LAYER_DIGEST
from botyard_operator.builders.inputs import Artifact, BotInputs, Draining, Layer, Tracing
from botyard_operator.builders.labels import child, labels, selector_labels
from botyard_operator.builders.pod_security import restricted_container, restricted_pod
from botyard_operator.builders.pod_template import patched
from botyard_operator.builders.secret import token_entry
from botyard_operator.reconcile.base import JsonObject

USER = 65532
"""The unprivileged user and group that runtime images run as."""

DRAINING = "draining-"
"""Begins the names of what a pod has for an older revision whose conversations end on it."""

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
                **_draining_digests(inputs.draining),
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
        "initContainers": [_fetch(inputs), *([_fetch_draining(inputs)] if inputs.draining is not None else ())],
        "containers": [
            _supervisor(inputs),
            _worker(inputs),
            *([_worker(inputs, draining=True)] if inputs.draining is not None else ()),
        ],
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
    return _fetching(inputs, inputs.artifact, inputs.layer, "")


def _fetch_draining(inputs: BotInputs) -> JsonObject:
    assert inputs.draining is not None
    return _fetching(inputs, inputs.draining.artifact, inputs.draining.layer, DRAINING)


def _fetching(inputs: BotInputs, artifact: Artifact, layer: Layer | None, prefix: str) -> JsonObject:
    return {
        **_container(inputs, f"{prefix}fetch", "fetch"),
        "env": [
            {"name": names.ENV_ARTIFACT_URL, "value": artifact.url},
            {"name": names.ENV_ARTIFACT_DIGEST, "value": artifact.digest},
            *_layer_environment(layer),
        ],
        "resources": {
            "requests": {"cpu": "10m", "memory": "48Mi"},
            "limits": {"memory": "256Mi"},
        },
        "volumeMounts": [
            {"name": f"{prefix}bundle", "mountPath": names.BUNDLE_DIR},
            *([{"name": f"{prefix}layer", "mountPath": names.LAYER_DIR}] if layer is not None else ()),
            {"name": f"{prefix}artifact-token", "mountPath": names.PLATFORM_DIR, "readOnly": True},
            {"name": f"{prefix}fetch-tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
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
            *_draining_environment(inputs.draining),
            *_tracing_environment(inputs.tracing),
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
            *(
                [{"name": f"{DRAINING}socket", "mountPath": names.DRAINING_SOCKET_DIR}]
                if inputs.draining is not None
                else ()
            ),
            {"name": "supervisor-tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
        ],
    }


def _worker(inputs: BotInputs, *, draining: bool = False) -> JsonObject:
    prefix, layer = ("", inputs.layer)
    if draining and inputs.draining is not None:
        prefix, layer = DRAINING, inputs.draining.layer
    container = _container(inputs, f"{prefix}worker", "worker-host")
    if inputs.resources:
        container["resources"] = inputs.resources
    container["volumeMounts"] = [
        {"name": f"{prefix}bundle", "mountPath": names.BUNDLE_DIR, "readOnly": True},
        *([{"name": f"{prefix}layer", "mountPath": names.LAYER_DIR, "readOnly": True}] if layer is not None else ()),
        {"name": f"{prefix}socket", "mountPath": names.SOCKET_DIR},
        {"name": f"{prefix}worker-tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
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
            "secret": _artifact_tokens(inputs.artifact, inputs.layer, platform),
        },
        *(_draining_volumes(inputs.draining, platform) if inputs.draining is not None else ()),
    ]


def _draining_volumes(draining: Draining, platform: str) -> list[JsonObject]:
    return [
        {"name": f"{DRAINING}bundle", "emptyDir": {}},
        *([{"name": f"{DRAINING}layer", "emptyDir": {}}] if draining.layer is not None else ()),
        {"name": f"{DRAINING}socket", "emptyDir": {"sizeLimit": "16Mi"}},
        {"name": f"{DRAINING}fetch-tmp", "emptyDir": {}},
        {"name": f"{DRAINING}worker-tmp", "emptyDir": {}},
        {
            "name": f"{DRAINING}artifact-token",
            "secret": _artifact_tokens(draining.artifact, draining.layer, platform),
        },
    ]


def _draining_environment(draining: Draining | None) -> list[JsonObject]:
    if draining is None:
        return []
    return [{"name": names.ENV_DRAINING_REVISION, "value": draining.artifact.revision}]


def _tracing_environment(tracing: Tracing | None) -> list[JsonObject]:
    if tracing is None:
        return []
    # The names are OpenTelemetry's own. Who accepted a message has decided whether it is traced.
    return [
        {"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": tracing.endpoint},
        {"name": "OTEL_TRACES_SAMPLER", "value": "parentbased_traceidratio"},
        {"name": "OTEL_TRACES_SAMPLER_ARG", "value": tracing.ratio},
        {
            "name": "OTEL_RESOURCE_ATTRIBUTES",
            "value": "k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(BOTYARD_REPLICA)",
        },
    ]


def _draining_digests(draining: Draining | None) -> dict[str, str]:
    if draining is None:
        return {}
    layer = {DRAINING_LAYER_DIGEST: draining.layer.digest} if draining.layer is not None else {}
    return {DRAINING_DIGEST: draining.artifact.digest, **layer}


def _has_model(inputs: BotInputs) -> bool:
    return inputs.config.model is not None


def _model_keys(inputs: BotInputs) -> JsonObject:
    # Optional: a pod of this template that starts anew after the model was taken out of the spec does so without keys.
    return {"name": "model", "secret": {"secretName": names.model_keys_name(inputs.name), "optional": True}}


def _layer_environment(layer: Layer | None) -> list[JsonObject]:
    if layer is None:
        return []
    return [
        {"name": names.ENV_LAYER_URL, "value": layer.url},
        {"name": names.ENV_LAYER_DIGEST, "value": layer.digest},
    ]


def _artifact_tokens(artifact: Artifact, layer: Layer | None, secret: str) -> JsonObject:
    mounted = _secret_entry(secret, token_entry(artifact.digest), names.ARTIFACT_TOKEN_FILE)
    if layer is not None:
        mounted["items"].append({"key": token_entry(layer.digest), "path": names.LAYER_TOKEN_FILE})
    return mounted


def _secret_entry(secret: str, key: str, path: str) -> JsonObject:
    return {"secretName": secret, "items": [{"key": key, "path": path}]}
