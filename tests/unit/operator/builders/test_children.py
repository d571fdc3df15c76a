"""What a Bot should have: reviewed as golden YAML, and the properties that must never be lost."""

from typing import Any

import pytest

from botyard.contract.bot import BotConfig
from botyard.contract.model import ModelConfig
from botyard_operator.annotations import APPLIED
from botyard_operator.builders.children import children, stamped
from botyard_operator.builders.inputs import BotInputs, Tracing
from tests.unit.operator.builders.golden import check
from tests.unit.operator.builders.inputs import draining_inputs, inputs, rich_inputs


def _by_kind(bot: BotInputs, kind: str) -> list[dict[str, Any]]:
    return [child for child in children(bot) if child["kind"] == kind]


def _pod(bot: BotInputs) -> dict[str, Any]:
    pod: dict[str, Any] = _by_kind(bot, "Deployment")[0]["spec"]["template"]["spec"]
    return pod


def _container(pod: dict[str, Any], name: str) -> dict[str, Any]:
    containers = [*pod["initContainers"], *pod["containers"]]
    return next(container for container in containers if container["name"] == name)


def test_a_bot_that_drains() -> None:
    check("draining", children(draining_inputs()))


def test_a_small_bot() -> None:
    check("small", children(inputs()))


def test_a_bot_that_uses_every_field() -> None:
    check("rich", children(rich_inputs()))


def test_what_the_pods_mount_comes_before_the_deployment() -> None:
    kinds = [child["kind"] for child in children(rich_inputs())]
    assert kinds[-1] == "Deployment"
    assert {"ConfigMap", "Secret"} <= set(kinds[:-1])


def test_equal_inputs_render_equal_children() -> None:
    assert children(rich_inputs()) == children(rich_inputs())


@pytest.mark.parametrize("bot", [inputs(), rich_inputs(), draining_inputs()], ids=["small", "rich", "draining"])
def test_the_worker_sees_no_credentials_of_the_platform(bot: BotInputs) -> None:
    for prefix, layer in (("", bot.layer), ("draining-", bot.draining.layer if bot.draining is not None else None)):
        if prefix and bot.draining is None:
            continue
        worker = _container(_pod(bot), f"{prefix}worker")
        mounts = {mount["name"].removeprefix(prefix): mount for mount in worker["volumeMounts"]}
        assert set(mounts) == {"bundle", "socket", "worker-tmp"} | ({"layer"} if layer is not None else set())
        assert all(mount["name"].startswith(prefix) for mount in mounts.values())
        assert mounts["bundle"]["readOnly"] is True
        assert "env" not in worker
        assert "envFrom" not in worker


def test_the_init_container_sees_the_artifact_token_only() -> None:
    pod = _pod(inputs())
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["name"] for mount in _container(pod, "fetch")["volumeMounts"]}
    assert mounts == {"bundle", "artifact-token", "fetch-tmp"}
    token = volumes["artifact-token"]["secret"]["items"]
    assert token == [{"key": "artifact-token-a1a1a1a1a1a1", "path": "artifact-token"}]
    assert [item["key"] for item in volumes["platform"]["secret"]["items"]] == ["redis-url"]


@pytest.mark.parametrize("bot", [inputs(), rich_inputs(), draining_inputs()], ids=["small", "rich", "draining"])
def test_pods_satisfy_the_restricted_pod_security_standard(bot: BotInputs) -> None:
    pod = _pod(bot)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    allowed = {"emptyDir", "configMap", "secret"}
    assert all(set(volume) - {"name"} <= allowed for volume in pod["volumes"])
    for container in [*pod["initContainers"], *pod["containers"]]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["readOnlyRootFilesystem"] is True


def test_every_volume_is_mounted_and_every_mount_has_a_volume() -> None:
    pod = _pod(rich_inputs())
    containers = [*pod["initContainers"], *pod["containers"]]
    mounted = {mount["name"] for container in containers for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_only_the_first_persona_shard_must_exist() -> None:
    volumes = {volume["name"]: volume for volume in _pod(inputs())["volumes"]}
    optional = [volumes[f"personas-{n}"]["configMap"]["optional"] for n in range(8)]
    assert optional == [False] + [True] * 7


@pytest.mark.parametrize(
    ("changes", "rolls"),
    [
        ({"credentials": {"A": b"1"}}, True),
        ({"redis_url": "redis://other:6379"}, True),
        ({"artifact_tokens": {"artifact-token-a1a1a1a1a1a1": b"0", "artifact-token-b2": b"1"}}, False),
        ({"replicas": 5}, False),
    ],
)
def test_only_what_needs_a_restart_changes_the_pod_template(changes: dict[str, Any], rolls: bool) -> None:
    before = _by_kind(inputs(), "Deployment")[0]["spec"]["template"]
    after = _by_kind(inputs(**changes), "Deployment")[0]["spec"]["template"]
    assert (before != after) is rolls


def test_only_the_first_model_of_a_bot_changes_the_pod_template() -> None:
    def template(**changes: Any) -> Any:
        return _by_kind(inputs(**changes), "Deployment")[0]["spec"]["template"]

    def config(name: str) -> BotConfig:
        return inputs().config.model_copy(update={"model": ModelConfig(name=name)})

    first = template(config=config("small"), model_keys={"a": b"1"})
    assert first != template()
    assert first == template(config=config("large"), model_keys={"b": b"2"}, scripts={"s": "rules: []"})


def test_only_the_supervisor_sees_the_keys_of_models() -> None:
    containers = (container for part in ("initContainers", "containers") for container in _pod(rich_inputs())[part])
    sees = [each["name"] for each in containers if "model" in {mount["name"] for mount in each["volumeMounts"]}]
    assert sees == ["supervisor"]


def test_credentials_cannot_be_moved_between_names_unnoticed() -> None:
    one = inputs(credentials={"A": b"BC", "D": b""}).config_hash()
    other = inputs(credentials={"A": b"B", "CD": b""}).config_hash()
    assert one != other


def test_the_configuration_reaches_the_pods_without_a_restart() -> None:
    config = inputs().config.model_copy(update={"config": {"a": 1}})
    before, after = inputs(), inputs(config=config)
    assert _by_kind(before, "ConfigMap") != _by_kind(after, "ConfigMap")
    assert _by_kind(before, "Deployment") == _by_kind(after, "Deployment")


def test_a_single_replica_has_no_disruption_budget() -> None:
    assert _by_kind(inputs(replicas=1), "PodDisruptionBudget") == []
    assert len(_by_kind(inputs(replicas=2), "PodDisruptionBudget")) == 1


def test_traces_go_from_the_supervisor_alone_to_the_collectors_port() -> None:
    traced = inputs(tracing=Tracing("http://collector.monitoring:4318", "0.25"))
    pod = _by_kind(traced, "Deployment")[0]["spec"]["template"]["spec"]
    environments = {
        each["name"]: {e["name"]: e.get("value") for e in each.get("env", ())} for each in pod["containers"]
    }
    assert environments["supervisor"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.monitoring:4318"
    assert environments["supervisor"]["OTEL_TRACES_SAMPLER_ARG"] == "0.25"
    assert not any(name.startswith("OTEL") for name in environments["worker"])
    egress = _by_kind(traced, "NetworkPolicy")[0]["spec"]["egress"]
    assert {"ports": [{"port": 4318, "protocol": "TCP"}]} in egress
    plain = _by_kind(inputs(), "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
    assert not any(each["name"].startswith("OTEL") for each in plain["env"])


def test_network_policies_can_be_switched_off() -> None:
    assert len(_by_kind(inputs(), "NetworkPolicy")) == 1
    assert _by_kind(inputs(network_policy=False), "NetworkPolicy") == []


def test_the_stamp_names_the_content_and_changes_with_it() -> None:
    first, second = children(inputs())[0], children(rich_inputs())[0]
    stamps = [child["metadata"]["annotations"][APPLIED] for child in (first, second)]
    assert stamps[0] != stamps[1]
    bare = {"kind": "X", "metadata": {"name": "a"}, "data": {}}
    assert "annotations" not in bare["metadata"]
    assert stamped(bare)["metadata"]["annotations"][APPLIED]
    assert "annotations" not in bare["metadata"], "the argument is left alone"


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        ("redis://redis.botyard/0", (6379,)),
        ("rediss://user:p%40ss@redis.example.com:6390/1", (6390,)),
        ("redis://[2001:db8::1]:6391/0", (6391,)),
        ("redis://[2001:db8::1]/0", (6379,)),
        ("redis+sentinel://:secret@s-0.redis:26379,s-1.redis:26380/main/0", (6379, 26379, 26380)),
        ("redis+sentinel://s-0.redis/main/0", (6379, 26379)),
        ("redis+cluster://n-0.redis:7000,n-1.redis:7001", (7000, 7001)),
    ],
)
def test_the_network_policy_opens_the_ports_of_redis(url: str, ports: tuple[int, ...]) -> None:
    egress = _by_kind(inputs(redis_url=url), "NetworkPolicy")[0]["spec"]["egress"]
    assert tuple(port["port"] for port in egress[-1]["ports"]) == ports


def test_the_artifact_server_is_reached_at_the_operator_alone() -> None:
    (peer,) = _by_kind(inputs(), "NetworkPolicy")[0]["spec"]["egress"][1]["to"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "botyard"}
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "operator"
