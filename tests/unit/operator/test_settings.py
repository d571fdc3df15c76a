"""Settings of the artifact store from the environment."""

from pathlib import Path

import pytest

from botyard_operator.artifacts.bucket_store import BucketStore
from botyard_operator.artifacts.store import ArtifactStore
from botyard_operator.main import artifact_store
from botyard_operator.settings import Settings, SettingsError


def test_the_quota_of_artifacts_is_read_and_unlimited_by_default() -> None:
    assert Settings.from_environment({}).artifact_quota_bytes == 0
    assert Settings.from_environment({"BOTYARD_ARTIFACT_QUOTA_BYTES": "1048576"}).artifact_quota_bytes == 1048576


@pytest.mark.parametrize("value", ["1Gi", "", "-1"])
def test_a_number_that_is_none_is_refused_by_name(value: str) -> None:
    with pytest.raises(SettingsError, match="BOTYARD_ARTIFACT_QUOTA_BYTES must"):
        Settings.from_environment({"BOTYARD_ARTIFACT_QUOTA_BYTES": value})


def test_a_bucket_is_read_and_what_is_none_is_refused(tmp_path: Path) -> None:
    environment = {
        "BOTYARD_ARTIFACT_DIR": str(tmp_path),
        "BOTYARD_ARTIFACT_BUCKET": "s3://bots/artifacts",
        "BOTYARD_ARTIFACT_BUCKET_ENDPOINT": "https://s3.example.com/",
        "BOTYARD_ARTIFACT_BUCKET_CREDENTIALS": "/etc/botyard/bucket",
        "BOTYARD_ARTIFACT_CACHE_BYTES": "1048576",
    }
    settings = Settings.from_environment(environment)
    assert settings.artifact_bucket_endpoint == "https://s3.example.com"
    assert settings.artifact_bucket_credentials == Path("/etc/botyard/bucket")
    assert isinstance(artifact_store(settings), BucketStore)
    assert type(artifact_store(Settings.from_environment({"BOTYARD_ARTIFACT_DIR": str(tmp_path)}))) is ArtifactStore
    for wrong in ({"BOTYARD_ARTIFACT_BUCKET": "bots"}, {"BOTYARD_ARTIFACT_BUCKET_ENDPOINT": "https://key:secret@s3"}):
        with pytest.raises(SettingsError, match="BOTYARD_ARTIFACT_BUCKET") as refused:
            artifact_store(Settings.from_environment(environment | wrong))
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://otel:99999", "http://otel:port", "otel:4318", "http://", "http://[otel"])
def test_an_address_of_a_collector_that_is_none_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError, match=r"BOTYARD_TRACING_ENDPOINT must be .* such as http://"):
        Settings.from_environment({"BOTYARD_TRACING_ENDPOINT": url})


@pytest.mark.parametrize("url", ["", "http://otel", "https://otel.example.com:4318/v1", "http://[fd00::1]:4318"])
def test_an_address_of_a_collector_is_taken(url: str) -> None:
    assert Settings.from_environment({"BOTYARD_TRACING_ENDPOINT": url}).tracing_endpoint == url
