"""Inputs for the builders."""

from typing import Any

from botyard.contract.bot import BotConfig, Entrypoint, Limits
from botyard.contract.model import ModelConfig, ModelTarget
from botyard_operator.builders.inputs import Artifact, BotInputs, Draining, Layer

DIGEST = "sha256:" + "a1" * 32


def inputs(**changes: Any) -> BotInputs:
    """Return the inputs of a small Bot."""
    values: dict[str, Any] = {
        "name": "clerk",
        "namespace": "shop",
        "uid": "11111111-2222-3333-4444-555555555555",
        "replicas": 1,
        "artifact": Artifact(
            revision="main@sha1:" + "0b" * 20,
            digest=DIGEST,
            url=f"http://botyard-artifacts.botyard.svc:8082/v1/artifacts/{'a1' * 32}.tar.gz",
        ),
        "config": BotConfig(namespace="shop", name="clerk", entrypoint=Entrypoint(model="fsm")),
        "runtime_image": "registry.example.com/botyard/runtime:1",
        "image_pull_policy": "IfNotPresent",
        "redis_url": "redis://:secret@redis.botyard:6379/0",
        "artifact_tokens": {"artifact-token-a1a1a1a1a1a1": b"f0" * 32},
    }
    return BotInputs(**{**values, **changes})


def draining_inputs() -> BotInputs:
    """Return the inputs of a Bot whose conversations end on an older revision, both with dependencies."""
    base = "http://botyard-artifacts.botyard.svc:8082/v1/artifacts"
    former = Artifact(revision="main@sha1:" + "0c" * 20, digest="sha256:" + "c3" * 32, url=f"{base}/{'c3' * 32}.tar.gz")
    return inputs(
        layer=Layer(digest="sha256:" + "b2" * 32, url=f"{base}/{'b2' * 32}.tar.gz"),
        draining=Draining(former, Layer(digest="sha256:" + "d4" * 32, url=f"{base}/{'d4' * 32}.tar.gz")),
        resources={"limits": {"memory": "1Gi"}},
    )


def rich_inputs() -> BotInputs:
    """Return the inputs of a Bot that uses every field."""
    return inputs(
        replicas=3,
        config=BotConfig(
            namespace="shop",
            name="clerk",
            entrypoint=Entrypoint(model="fsm", module="clerk.bot", symbol="ClerkFSM"),
            limits=Limits(turn_timeout_seconds=20, max_input_bytes=2048, concurrency=4, workers=2),
            config={"greeting": "hello"},
            model=ModelConfig(
                name="small",
                key="key-1",
                roles={
                    "solver": ModelTarget(name="large", endpoint="http://llm.example.com:8000/v1"),
                    "offline": ModelTarget(provider="scripted", script="1.model-script.yaml"),
                },
            ),
        ),
        credentials={"PAYMENT_KEY": b"k", "ABSENT": b""},
        model_keys={"key-1": b"sk-1"},
        scripts={"1.model-script.yaml": "rules:\n- reply: {text: hello}\n"},
        resources={"requests": {"cpu": "0.5"}, "limits": {"memory": "1Gi"}},
        progress_deadline_seconds=60,
        redis_url="rediss://redis.example.com:6390",
    )
