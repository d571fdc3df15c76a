"""Names that operator, runtime and gateway must agree on: labels, annotations, paths and environment."""

import re

GROUP = "botyard.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FIELD_MANAGER = "botyard"

LABEL_BOT = f"{GROUP}/bot"
"""On every child of a Bot: the Bot's name."""
LABEL_SHARD = f"{GROUP}/persona-shard"
"""On the ConfigMaps that carry Personas: the shard's number."""
LABEL_BUNDLE = f"{GROUP}/bundle"
"""On what is made for a Bundle (its build Jobs, their pods and Secret, its manifest): the Bundle's name."""
LABEL_SCENARIOS = f"{GROUP}/scenarios-of"
"""On the pods that run a new revision's scenarios: the Bot's name. They are none of the Bot's own pods."""
ANNOTATION_REQUESTED_AT = f"{GROUP}/requestedAt"
"""Set by a person to force a reconcile; any new value does."""
ANNOTATION_PROMOTE = f"{GROUP}/promote"
"""Set by a person on a Bot whose new revision is ramped: `<revision>=<share>`, which it is to have at least."""
ANNOTATION_REFRESH = f"{GROUP}/refresh"
"""Set by the operator on pods whose mounted ConfigMaps changed; makes the kubelet refresh them at once."""
ANNOTATION_REVISION = f"{GROUP}/revision"
"""On pod templates: the bundle revision that the pods run."""
ANNOTATION_HASH = f"{GROUP}/config-hash"
"""On pod templates: digest of everything that only a restart can bring into the process."""

PERSONA_SHARDS = 8
"""Shards of the aggregated Persona ConfigMap that every pod declares ahead (all but 0 optional)."""
PERSONA_SHARD_BYTES = 900_000
"""Content of one shard, in bytes of JSON, kept below the API server's limit of 1 MiB per object."""

PRICES_NAME = "botyard-prices"
"""The ConfigMap with the price table: of a namespace, or of the operator's own for all others."""

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 50


def bot_name_of(bundle_id: str) -> str:
    """Return the name of the Bot that runs a workflow bundle: its id as Kubernetes can write it; may be empty."""
    name = _NOT_IN_NAMES.sub("-", bundle_id.lower()).strip("-")
    if name and not name[0].isalpha():
        name = f"b-{name}"
    return name[:_LONGEST_NAME].strip("-")


# Paths inside a runtime pod.
CONFIG_DIR = "/etc/botyard/bot"
"""Holds BOT_FILE; mounted in the supervisor only."""
BOT_FILE = "bot.json"
PERSONAS_DIR = "/etc/botyard/personas"
"""Holds one folder a shard (`0` … `7`), each with PERSONAS_FILE."""
PERSONAS_FILE = "personas.json"
CREDENTIALS_DIR = "/etc/botyard/credentials"
"""The bundle's own credentials, one file each; handed to workers by the supervisor."""
PLATFORM_DIR = "/etc/botyard/platform"
"""Platform secrets (REDIS_URL_FILE, ARTIFACT_TOKEN_FILE); never mounted into the worker's container."""
REDIS_URL_FILE = "redis-url"
ARTIFACT_TOKEN_FILE = "artifact-token"  # noqa: S105 - a file's name, not a secret
PERSONA_SECRETS_DIR = "/etc/botyard/persona-secrets"
"""What Personas keep in Secrets, one file each; there may be none."""
MODEL_KEYS_DIR = "/etc/botyard/model"
"""API keys of model providers, one file each; mounted in the supervisor only."""
BUNDLE_DIR = "/bundle"
"""The verified, unpacked bundle: written by the init container, read-only for the worker."""
LAYER_DIR = "/layer"
"""The installed dependencies of the bundle: made at this path, and mounted at it wherever the bundle runs."""
LAYER_TOKEN_FILE = "layer-token"  # noqa: S105 - a file's name, not a secret
BUILD_DIR = "/build"
"""Shared by the two containers of a build pod: what they tell each other, and the log."""
BUILD_TOKEN_FILE = "build-token"  # noqa: S105 - a file's name, not a secret
"""In PLATFORM_DIR of the courier: lets it deliver the results of this one build."""
INDEX_DIR = "/etc/botyard/index"
INDEX_URL_FILE = "url"
"""In INDEX_DIR of the builder: where packages come from, with a token that is good for this one build."""
SOCKET_DIR = "/run/botyard"
"""Shared by supervisor and worker host; holds WORKER_SOCKET."""
WORKER_SOCKET = "worker.sock"
DRAINING_SOCKET_DIR = "/run/botyard-draining"
"""SOCKET_DIR of the workers of an older revision, as the supervisor sees it."""
ROUTES_DIR = "/etc/botyard/routes"
"""The gateway's routing table is mounted here as ROUTES_FILE."""
ROUTES_FILE = "routes.json"
ROUTE_SHARDS = 16
"""ConfigMaps that the routing table is spread over, at most; the roles of operator and gateway name them all."""
ROUTES_SHARD_BYTES = 900_000
"""Content of one of them, in bytes of JSON, kept below the API server's limit of 1 MiB per object."""

SUPERVISOR_PORT = 8081
"""Probes and metrics of a runtime pod: /healthz, /readyz, /metrics."""
GATEWAY_PORT = 8080
ARTIFACTS_PORT = 8082
"""The operator's artifact server."""
OPERATOR_METRICS_PORT = 8083
CONNECTOR_PORT = 8085
"""The connector's probes and metrics."""

# Environment of the containers of a runtime pod.
ENV_REPLICA = "BOTYARD_REPLICA"
"""The replica's identity in leases: the pod's name."""
ENV_ARTIFACT_URL = "BOTYARD_ARTIFACT_URL"
ENV_ARTIFACT_DIGEST = "BOTYARD_ARTIFACT_DIGEST"
ENV_LAYER_URL = "BOTYARD_LAYER_URL"
ENV_LAYER_DIGEST = "BOTYARD_LAYER_DIGEST"
ENV_BUILD = "BOTYARD_BUILD"
"""A `BuildRequest` as JSON, in both containers of a build pod."""
ENV_REVISION = "BOTYARD_REVISION"
ENV_DRAINING_REVISION = "BOTYARD_DRAINING_REVISION"
"""Of the supervisor: an older revision whose conversations end on it, in workers of their own; absent: none."""


def routes_name(shard: int) -> str:
    """Name of the ConfigMap, in the operator's namespace, that holds one shard of the routing table."""
    return "botyard-routes" if shard == 0 else f"botyard-routes-{shard}"


def config_map_name(bot: str) -> str:
    """Name of the ConfigMap that holds a Bot's `BotConfig`."""
    return f"{bot}-bot"


def persona_shard_name(bot: str, shard: int) -> str:
    """Name of the ConfigMap that holds one shard of a Bot's Personas."""
    return f"{bot}-personas-{shard}"


def credentials_name(bot: str) -> str:
    """Name of the Secret with the bundle's own credentials."""
    return f"{bot}-credentials"


def persona_secrets_name(bot: str) -> str:
    """Name of the Secret with what a Bot's Personas keep in Secrets: `<persona>.json`, a `PersonaSecrets` each."""
    return f"{bot}-persona-secrets"


def model_keys_name(bot: str) -> str:
    """Name of the Secret with the API keys of a Bot's model providers."""
    return f"{bot}-model"


def platform_name(bot: str) -> str:
    """Name of the Secret with what only the supervisor and the init container may read."""
    return f"{bot}-platform"


def build_name(bundle: str) -> str:
    """Name of the Secret and the NetworkPolicy of a Bundle's builds."""
    return f"{bundle}-build"


MANIFEST_SUFFIX = "-manifest"


def manifest_name(bundle: str) -> str:
    """Name of the ConfigMap that holds the full manifest of a Bundle's last good revision, as MANIFEST_FILE."""
    return f"{bundle}{MANIFEST_SUFFIX}"


MANIFEST_FILE = "manifest.json"
MACHINES_FILE = "machines.json"
"""Beside it: the machines of the revisions that the Bundle keeps, as `MachineShape` by the artifact's digest."""
