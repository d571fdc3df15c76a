"""`botyard build-courier`: the container of a build pod that holds its tokens and runs nobody's code."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import httpx

from botyard.bundle_build.exchange import Exchange, Go
from botyard.bundle_build.inputs import RequirementsError, layer_inputs
from botyard.bundle_build.pack import LayerError, digest_of, pack, pack_log
from botyard.bundle_fetch.download import BundleFetchError, RetryPolicy
from botyard.bundle_fetch.fetch import TERMINATION_LOG, fetch
from botyard.bundle_fetch.unpack import UnpackLimits, unpack
from botyard.contract import names
from botyard.contract.build import HEADER_DIGEST, BuildFailure, BuildReport, BuildRequest

_SLACK_SECONDS = 120.0
_POLICY = RetryPolicy()


class DeliveryError(Exception):
    """The operator did not take what was delivered."""


class Courier:
    """Brings a build its source, and the operator its results."""

    def __init__(
        self,
        request: BuildRequest,
        *,
        source_token: str,
        build_token: str,
        bundle: Path,
        layer: Path,
        shared: Path,
        work: Path,
        policy: RetryPolicy = _POLICY,
    ) -> None:
        """Prepare.

        Args:
            request: What is built.
            source_token: Opens the source's artifact.
            build_token: Delivers this build's results.
            bundle: Where the source goes.
            layer: Where the dependencies are put or found.
            shared: Folder shared with the builder.
            work: An own folder for archives.
            policy: Retries of the exchange with the operator.
        """
        self._request = request
        self._source_token = source_token
        self._bundle, self._layer, self._work = bundle, layer, work
        self._exchange = Exchange(shared)
        self._policy = policy
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {build_token}", "Accept-Encoding": "identity"},
            timeout=policy.request_timeout,
            trust_env=False,
        )

    def run(self) -> BuildReport:
        """Do the whole build; return what was delivered.

        Raises:
            DeliveryError: The operator could not be told.
        """
        with self._client:
            report = self._build()
            log = self._exchange.log_bytes()
            if log:
                archive = self._work / "log.tar.gz"
                report = report.model_copy(update={"log_digest": pack_log(log, archive)})
                self._put("log", archive, report.log_digest)
            self._send("PUT", "report", content=report.to_json().encode())
            return report

    def _build(self) -> BuildReport:
        request = self._request
        try:
            fetch(request.source_url, self._source_token, request.source_digest, self._bundle, policy=self._policy)
        except BundleFetchError as error:
            return self._give_up(BuildFailure(stage="fetch", reason="BuildFailed", message=str(error), retryable=True))
        inputs = ""
        cached = ""
        if request.requirements:
            try:
                inputs = layer_inputs(
                    self._bundle, request.requirements, source_digest=request.source_digest, index=request.index
                )
            except RequirementsError as error:
                return self._give_up(BuildFailure(stage="install", reason="RequirementsInvalid", message=str(error)))
            cached = self._cached_layer(inputs)
        self._exchange.go(Go(install=bool(request.requirements) and not cached))
        limits = request.limits
        try:
            report = self._exchange.await_report(limits.install_seconds + limits.inspect_seconds + _SLACK_SECONDS)
        except TimeoutError:
            failure = BuildFailure(stage="install", reason="BuildTimedOut", message="the build did not end in time")
            return BuildReport(failure=failure, inputs=inputs)
        report = report.model_copy(update={"inputs": inputs, "layer_digest": cached, "log_digest": ""})
        if not request.requirements or cached or (report.failure and report.failure.stage != "inspect"):
            return report
        # A layer that was installed is kept although the import fails: the next commit most likely corrects the code.
        return self._with_layer(report)

    def _give_up(self, failure: BuildFailure) -> BuildReport:
        self._exchange.go(Go(give_up=True))
        return BuildReport(failure=failure)

    def _with_layer(self, report: BuildReport) -> BuildReport:
        archive = self._work / "layer.tar.gz"
        limits = self._request.limits
        try:
            digest = pack(self._layer, archive, max_bytes=limits.layer_bytes, max_files=limits.layer_files)
        except LayerError as error:
            failure = BuildFailure(stage="publish", reason=error.reason, message=str(error))
            return report.model_copy(update={"failure": report.failure or failure})
        self._put("layer", archive, digest, inputs=report.inputs)
        return report.model_copy(update={"layer_digest": digest})

    def _cached_layer(self, inputs: str) -> str:
        """Unpack the layer that was made from the same inputs before; return its digest, or nothing."""
        archive = self._work / "cached.tar.gz"
        try:
            with self._client.stream("GET", f"{self._request.url}/layers/{inputs.removeprefix('sha256:')}") as answer:
                if answer.status_code != httpx.codes.OK:
                    return ""
                with archive.open("wb") as out:
                    for block in answer.iter_raw():
                        out.write(block)
            digest = digest_of(archive)
            if answer.headers.get(HEADER_DIGEST) != digest:
                return ""
            limits = self._request.limits
            unpack(
                archive, self._layer, limits=UnpackLimits(max_bytes=limits.layer_bytes, max_files=limits.layer_files)
            )
        except (httpx.HTTPError, BundleFetchError):
            # A cache that cannot be read costs time, not the build.
            return ""
        finally:
            archive.unlink(missing_ok=True)
        return digest

    def _put(self, what: str, archive: Path, digest: str, **query: str) -> None:
        self._send("PUT", what, archive=archive, query={**query, "digest": digest})

    def _send(
        self,
        method: str,
        what: str,
        *,
        content: bytes = b"",
        archive: Path | None = None,
        query: dict[str, str] | None = None,
    ) -> None:
        give_up = time.monotonic() + self._policy.deadline
        said = ""
        for attempt in range(1, self._policy.attempts + 1):
            try:
                if archive is not None:
                    with archive.open("rb") as file:
                        answer = self._client.request(
                            method,
                            f"{self._request.url}/{what}",
                            content=iter(partial(file.read, 1 << 18), b""),
                            params=query,
                            headers={"Content-Length": str(archive.stat().st_size)},
                        )
                else:
                    answer = self._client.request(method, f"{self._request.url}/{what}", content=content, params=query)
            except httpx.HTTPError as error:
                said = f"{type(error).__name__}: {error}"
            else:
                if answer.is_success:
                    return
                said = f"HTTP {answer.status_code}: {answer.text[:300]}"
                if answer.is_client_error and answer.status_code not in {408, 429}:
                    break
            pause = self._policy.pause(attempt)
            if time.monotonic() + pause > give_up:
                break
            time.sleep(pause)
        raise DeliveryError(f"the operator did not take the {what} of this build: {said}")


def run(argv: Sequence[str]) -> int:
    """Do what the pod's environment names."""
    argparse.ArgumentParser(
        prog="botyard build-courier", description="Fetch and deliver for the build that BOTYARD_BUILD names."
    ).parse_args(argv)
    request = BuildRequest.model_validate_json(os.environ[names.ENV_BUILD])
    platform = Path(names.PLATFORM_DIR)
    with tempfile.TemporaryDirectory() as work:
        courier = Courier(
            request,
            source_token=(platform / names.ARTIFACT_TOKEN_FILE).read_text().strip(),
            build_token=(platform / names.BUILD_TOKEN_FILE).read_text().strip(),
            bundle=Path(names.BUNDLE_DIR),
            layer=Path(names.LAYER_DIR),
            shared=Path(names.BUILD_DIR),
            work=Path(work),
        )
        try:
            report = courier.run()
        except DeliveryError as error:
            print(f"botyard build-courier: {error}", file=sys.stderr)
            if TERMINATION_LOG.exists():
                TERMINATION_LOG.write_text(str(error)[:4000])
            return 1
    print(f"botyard build-courier: {request.bundle}: {report.failure.reason if report.failure else 'built'}")
    return 0
