"""Certificates that Kubernetes' built-in roles know, made at once or not at all."""

import subprocess
from pathlib import Path

import pytest

from localcluster import certificates
from localcluster.certificates import CERTIFICATES, ensure_certificates
from localcluster.errors import ClusterError
from localcluster.layout import NODE_IP, Layout


def openssl(*arguments: str | Path) -> str:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True).stdout


def test_all_are_signed_by_the_authority_and_kept(layout: Layout) -> None:
    layout.state.mkdir()
    assert ensure_certificates(layout)
    for certificate in CERTIFICATES:
        path = layout.pki / f"{certificate.name}.crt"
        openssl("verify", "-CAfile", layout.pki / "ca.crt", path)
        assert certificate.common_name in openssl("x509", "-in", path, "-noout", "-subject")
    assert not ensure_certificates(layout)
    assert f"IP Address:{NODE_IP}" in openssl("x509", "-in", layout.pki / "kubelet.crt", "-noout", "-text")
    assert layout.pki.stat().st_mode & 0o777 == 0o700


def test_an_interrupted_run_leaves_none_behind(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    layout.state.mkdir()

    def interrupted(*_arguments: object, **_options: object) -> str:
        raise ClusterError("interrupted")

    with monkeypatch.context() as patched:
        patched.setattr(certificates, "_create", interrupted)
        with pytest.raises(ClusterError):
            ensure_certificates(layout)
    assert not layout.pki.exists()
    assert ensure_certificates(layout)
