"""Settings of the artifact store from the environment."""

import pytest

from botyard_operator.settings import Settings, SettingsError


def test_the_quota_of_artifacts_is_read_and_unlimited_by_default() -> None:
    assert Settings.from_environment({}).artifact_quota_bytes == 0
    assert Settings.from_environment({"BOTYARD_ARTIFACT_QUOTA_BYTES": "1048576"}).artifact_quota_bytes == 1048576


@pytest.mark.parametrize("value", ["1Gi", "", "-1"])
def test_a_number_that_is_none_is_refused_by_name(value: str) -> None:
    with pytest.raises(SettingsError, match="BOTYARD_ARTIFACT_QUOTA_BYTES must"):
        Settings.from_environment({"BOTYARD_ARTIFACT_QUOTA_BYTES": value})
