"""Missing programs are installed where that is possible, and named exactly where it is not."""

from pathlib import Path

import pytest

from localcluster import packages
from localcluster.errors import ClusterError
from localcluster.packages import Requirement, ensure_packages, is_debian

MISSING = Requirement("no-such-program", "no-such-package")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ID=debian\n", True),
        ("ID=ubuntu\nID_LIKE=debian\n", True),
        ('ID=fedora\nID_LIKE="rhel centos"\n', False),
        ("", False),
    ],
)
def test_debian_and_its_children_are_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: bool
) -> None:
    apt = tmp_path / "apt-get"
    apt.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "os-release").write_text(text)
    assert is_debian(tmp_path / "os-release") is expected


def test_nothing_happens_where_nothing_is_missing() -> None:
    ensure_packages([Requirement("sh", "dash")])


def test_elsewhere_the_command_to_install_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "is_debian", lambda _path: False)
    with pytest.raises(ClusterError, match=r"no-such-program(.|\n)*apt-get install no-such-package"):
        ensure_packages([Requirement("sh", "dash"), MISSING])
