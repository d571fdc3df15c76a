"""The console in a real browser, in front of real bots."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from botyard.contract.routes import Route, Routes
from botyard.core.address import BotAddress
from tests.integration.gateway.dev import SECONDS, Dev, until
from tests.integration.gateway.system import write_tokens
from tests.integration.redis.server import RedisServer, running_redis

ROOT = Path(__file__).parents[2]
GHOST = BotAddress("dev", "ghost", 4)
"""A bot without pods: tests say what it says."""
PARROT = Path(__file__).parent / "parrot"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
expect.set_options(timeout=15_000)


class GatewayProcess:
    """`botyard gateway` on a port that stays the same when it is started again.

    Args:
        command: Options.
        log: Where its log goes.
    """

    def __init__(self, command: list[str], log: Path) -> None:
        self._command = command
        self._log = log
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it serves."""
        begun = self._log.stat().st_size if self._log.exists() else 0
        command = [sys.executable, "-m", "botyard.cli.main", "gateway", "--host", "127.0.0.1", *self._command]
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), "--drain-delay", "0"], stdout=output, stderr=output
            )

        def serving() -> int:
            text = self._log.read_text()[begun:]
            assert self.process.poll() is None, text
            _, _, found = text.partition("running on http://127.0.0.1:")
            return int(found.split(" ", 1)[0].split('"', 1)[0]) if found else 0

        self.port = until(serving, self._log.read_text)
        until(lambda: httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200, self._log.read_text)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait(SECONDS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window."""
    binary = shutil.which("chromium")
    if binary is None:
        pytest.fail("chromium is not installed: apt-get install chromium")
    with (
        sync_playwright() as playwright,
        closing(playwright.chromium.launch(executable_path=binary, args=FLAGS, headless=True)) as launched,
    ):
        yield launched


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Open the console; errors of its scripts fail the test. BOTYARD_SCREENSHOTS names a folder for pictures."""
    errors: list[str] = []
    pages: list[Page] = []

    def opened(url: str, *, width: int = 1100, height: int = 720, dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        pages.append(page)
        return page

    yield opened
    folder = os.environ.get("BOTYARD_SCREENSHOTS")
    for number, page in enumerate(pages):
        if folder:
            page.screenshot(path=Path(folder) / f"{request.node.name}-{number}.png")
        page.context.close()
    assert errors == []


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A Redis that outlives gateways."""
    with running_redis() as server:
        yield server


@pytest.fixture(scope="module")
def repairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """`botyard dev` with the repairs bot, in a copy that tests may break."""
    with closing(Dev(_copy(ROOT / "bundles" / "repairs", tmp_path_factory.mktemp("repairs")))) as running:
        yield running


@pytest.fixture(scope="module")
def parrot(tmp_path_factory: pytest.TempPathFactory, redis: RedisServer) -> Iterator[Dev]:
    """`botyard dev` with the parrot, on the shared Redis."""
    folder = _copy(PARROT, tmp_path_factory.mktemp("parrot"))
    with closing(Dev(folder, "--redis", redis.url)) as running:
        yield running


@pytest.fixture
def gateway(
    parrot: Dev, redis: RedisServer, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[GatewayProcess]:
    """A gateway of its own in front of the parrot, the ghost and a bot that is not ready; it may be killed."""
    routes = Routes(
        routes=(
            Route(namespace="dev", name="parrot", model="fsm", ready=True, partitions=16),
            Route(namespace="dev", name="ghost", model="fsm", ready=True, partitions=GHOST.partitions),
            Route(namespace="dev", name="owl", ready=False, reason="Building", message="Bundle dev/owl: no module bot"),
        )
    )
    (tmp_path / "routes.json").write_text(routes.to_json())
    write_tokens(tmp_path / "tokens.yaml", {"ann": {"permissions": [{"namespace": "dev", "bots": ["parrot"]}]}})
    way = getattr(request, "param", ["--auth", "none"])
    options = [
        *(word.replace("FOLDER", str(tmp_path)) for word in way),
        "--routes",
        str(tmp_path / "routes.json"),
        "--redis",
        redis.url,
    ]
    started = GatewayProcess(options, tmp_path / "gateway.log")
    yield started
    started.kill()


def _copy(bundle: Path, folder: Path) -> Path:
    return Path(shutil.copytree(bundle, folder / bundle.name, ignore=shutil.ignore_patterns("__pycache__")))
