"""Which revisions a Bundle's history keeps."""

from datetime import UTC, datetime, timedelta

from botyard_operator.api.bundle import Artifact
from botyard_operator.reconcile.bundle_status import next_history, timestamp

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TTL = timedelta(hours=24)


def artifact(number: int, hours_ago: float) -> Artifact:
    return Artifact(
        revision=f"main@sha1:{number:040x}",
        digest=f"sha256:{number:064x}",
        last_update_time=timestamp(NOW - timedelta(hours=hours_ago)),
    )


def kept(history: list[Artifact], artifact: Artifact, *, keep: int, missing: frozenset[str] = frozenset()) -> list[int]:
    result = next_history(
        history, artifact, keep=keep, ttl=TTL, now=NOW, in_storage=lambda digest: digest not in missing
    )
    return [int(entry.digest.removeprefix("sha256:"), 16) for entry in result]


def test_the_newest_revisions_stay_whatever_their_age() -> None:
    old = [artifact(number, 100 * (10 - number)) for number in range(9, 0, -1)]
    assert kept(old[1:], old[0], keep=3) == [9, 8, 7]


def test_a_revision_stays_for_its_time_after_a_newer_one_took_its_place() -> None:
    # 1 was in use for a year, until 2 came an hour ago: it is not gone at once.
    assert kept([artifact(1, 24 * 365)], artifact(2, 1), keep=1) == [2, 1]
    assert kept([artifact(1, 24 * 365)], artifact(2, 25), keep=1) == [2]


def test_a_revision_that_comes_back_stands_once_and_first() -> None:
    assert kept([artifact(2, 3), artifact(1, 5)], artifact(1, 0), keep=3) == [1, 2]


def test_what_is_not_in_storage_is_not_listed() -> None:
    history = [artifact(2, 3), artifact(1, 5)]
    assert kept(history, artifact(3, 0), keep=3, missing=frozenset({history[0].digest})) == [3, 1]


def test_the_history_is_bounded_however_long_the_time() -> None:
    history = [artifact(number, 0.1) for number in range(200, 0, -1)]
    assert len(kept(history[1:], history[0], keep=3)) == 50
