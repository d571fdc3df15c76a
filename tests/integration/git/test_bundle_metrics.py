"""What a running operator measures of Bundles, and that it keeps to its quota."""

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.apiserver.server import ApiServer
from tests.integration.git.server import GitServer
from tests.integration.operator.process import OperatorProcess
from tests.integration.operator.waiting import eventually
from tests.integration.operator.world import World


def measured(process: OperatorProcess) -> dict[tuple[str, ...], float]:
    """Return the samples of metrics about Bundles by name and values of labels, in the order of their names."""
    status, text = process.probe("/metrics")
    assert status == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(("botyard_fetch", "botyard_artifact", "botyard_bundles"))
    }


def test_fetches_artifacts_and_readiness_are_measured_and_the_quota_is_kept(
    apiserver: ApiServer, namespace: str, operator_process: OperatorProcess, git_server: GitServer
) -> None:
    world = World(apiserver, namespace)
    small, large = git_server.repository("small.git"), git_server.repository("large.git")
    small.commit({"bot.py": "1"})
    large.commit({"bot.py": "x" * 200_000})
    world.create("Bundle", "small", spec={"git": {"url": git_server.url(small)}, "interval": "1s"})
    world.await_condition("Bundle", "small", "Ready", "True")
    world.create("Bundle", "large", spec={"git": {"url": git_server.url(large)}, "interval": "1h"})
    message = world.await_condition("Bundle", "large", "Fetched", "False", "DiskFull")["message"]
    assert "quota of 100000 bytes" in message
    eventually(
        lambda: measured(operator_process).get(("botyard_fetches_total", "unchanged", "poll"), 0) >= 2,
        "two looks found nothing new",
    )
    samples = measured(operator_process)
    assert samples["botyard_fetches_total", "fetched", "fetch"] == 1
    assert samples["botyard_fetches_total", "DiskFull", "fetch"] >= 1
    assert samples["botyard_fetch_duration_seconds_count", "fetch"] >= 2
    assert samples["botyard_fetch_duration_seconds_sum", "poll"] > 0
    artifact = (world.get("Bundle", "small") or {})["status"]["artifact"]
    assert samples[("botyard_artifact_bytes",)] == artifact["size"]
    assert {key[1]: value for key, value in samples.items() if key[0] == "botyard_bundles"} == {
        "True": 1,
        "False": 1,
        "Unknown": 0,
    }
