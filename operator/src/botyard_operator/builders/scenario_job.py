"""What the scenarios of a new revision run in: a Job of one restricted pod that reaches the artifact server alone.

Its init container holds the tokens and fetches as that of the Bot's own pods does; the other one runs the bundle's
code, and has neither the Bot's credentials nor anybody's address.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from botyard.contract import names
from botyard_operator.builders.inputs import Artifact, Layer
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

COMPONENT = "scenarios"
DEADLINE_SECONDS = 900
"""All scenarios together, with scheduling and fetching."""
RETRIES = 2
"""Of a pod that ends without saying how the scenarios went: it was evicted, or killed for its memory."""
FORMAT = 1
"""Raised when the same revision would be judged otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioInputs:
    """Everything that the objects of a run are made from."""

    bot: str
    namespace: str
    uid: str
    artifact: Artifact
    layer: Layer | None
    entrypoint: str
    """`module:symbol`; empty: it is looked for."""
    image: str
    image_pull_policy: str
    system_namespace: str
    tokens: tuple[str, ...] = field(repr=False)
    """Of the artifact, and of the layer where there is one."""
    network_policy: bool = True
    memory: str = "1Gi"

    def attempt(self) -> str:
        """Return the digest of everything that decides how the scenarios go."""
        layer = self.layer.digest if self.layer is not None else ""
        text = json.dumps([FORMAT, self.artifact.digest, layer, self.entrypoint, self.image])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def object_name(bot: str) -> str:
    """Return the name of the Secret and the NetworkPolicy."""
    return f"{bot}-scenarios"


def job_name(bot: str, attempt: str) -> str:
    """Return the name of the Job: at most 63 characters, because the pods' labels carry it."""
    return f"{bot[:41].rstrip('-')}-scenarios-{attempt[:10]}"


def scenario_objects(inputs: ScenarioInputs) -> list[JsonObject]:
    """Return what a run needs, in the order in which it is applied; the Job comes last."""
    return [_secret(inputs), *([_network_policy(inputs)] if inputs.network_policy else []), _job(inputs)]


def _object(inputs: ScenarioInputs, api_version: str, kind: str, name: str) -> JsonObject:
    labels, owner = {**_labels(inputs), names.LABEL_BOT: inputs.bot}, owner_reference(inputs.bot, inputs.uid)
    return owned_object(api_version, kind, name, namespace=inputs.namespace, labels=labels, owner=owner)


def _labels(inputs: ScenarioInputs) -> dict[str, str]:
    """Return the pods' labels: without the Bot's own, which its Service and its scaling select."""
    return job_labels(COMPONENT, names.LABEL_SCENARIOS, inputs.bot)


def _secret(inputs: ScenarioInputs) -> JsonObject:
    files = (names.ARTIFACT_TOKEN_FILE, names.LAYER_TOKEN_FILE)
    entries = dict(zip(files, inputs.tokens, strict=False))
    return token_secret(_object(inputs, "v1", "Secret", object_name(inputs.bot)), entries)


def _network_policy(inputs: ScenarioInputs) -> JsonObject:
    obj = _object(inputs, "networking.k8s.io/v1", "NetworkPolicy", object_name(inputs.bot))
    labels = {"app.kubernetes.io/component": COMPONENT, names.LABEL_SCENARIOS: inputs.bot}
    obj["spec"] = only_the_operator(labels, inputs.system_namespace)
    return obj


def _job(inputs: ScenarioInputs) -> JsonObject:
    obj = _object(inputs, "batch/v1", "Job", job_name(inputs.bot, inputs.attempt()))
    obj["spec"] = {
        "backoffLimit": RETRIES,
        # Scenarios that failed fail again.
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": COMPONENT, "operator": "In", "values": [1]},
                }
            ]
        },
        "activeDeadlineSeconds": DEADLINE_SECONDS,
        "ttlSecondsAfterFinished": KEEP_SECONDS,
        "template": {
            "metadata": {"labels": _labels(inputs)},
            "spec": job_pod(
                before=[_fetch(inputs)],
                containers=[_scenarios(inputs)],
                volumes=[
                    *({"name": name, "emptyDir": {}} for name in ("bundle", "layer", "fetch-tmp", "scenarios-tmp")),
                    {"name": "tokens", "secret": {"secretName": object_name(inputs.bot)}},
                ],
            ),
        },
    }
    return obj


def _container(inputs: ScenarioInputs, name: str, args: list[str]) -> JsonObject:
    return job_container(name, args, image=inputs.image, pull_policy=inputs.image_pull_policy)


def _fetch(inputs: ScenarioInputs) -> JsonObject:
    env = [
        {"name": names.ENV_ARTIFACT_URL, "value": inputs.artifact.url},
        {"name": names.ENV_ARTIFACT_DIGEST, "value": inputs.artifact.digest},
    ]
    if inputs.layer is not None:
        env += [
            {"name": names.ENV_LAYER_URL, "value": inputs.layer.url},
            {"name": names.ENV_LAYER_DIGEST, "value": inputs.layer.digest},
        ]
    return {
        **_container(inputs, "fetch", ["fetch"]),
        "env": env,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "256Mi"}},
        "volumeMounts": [
            {"name": "bundle", "mountPath": names.BUNDLE_DIR},
            {"name": "layer", "mountPath": names.LAYER_DIR},
            {"name": "tokens", "mountPath": names.PLATFORM_DIR, "readOnly": True},
            {"name": "fetch-tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
        ],
    }


def _scenarios(inputs: ScenarioInputs) -> JsonObject:
    args = ["scenario-gate", *(["--entrypoint", inputs.entrypoint] if inputs.entrypoint else [])]
    return {
        **_container(inputs, COMPONENT, args),
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": inputs.memory}},
        "volumeMounts": [
            {"name": "bundle", "mountPath": names.BUNDLE_DIR, "readOnly": True},
            {"name": "layer", "mountPath": names.LAYER_DIR, "readOnly": True},
            {"name": "scenarios-tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
        ],
    }
