"""`botyard model-stub`: the scripted model over HTTP, for the `openai` client."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from botyard.models import stub

SCRIPT = """
rules:
- when: {contains: weather, last_role: user}
  reply: {text: "Looking.", tool_calls: [{name: get_weather, arguments: {city: Oslo}}]}
- when: {contains: hello}
  reply: {text: "a b c"}
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.yaml"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def client(script: Path) -> Iterator[openai.OpenAI]:
    process = subprocess.Popen(
        [sys.executable, "-m", "botyard.cli.main", "model-stub", "--script", str(script), "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip().removeprefix("OPENAI_BASE_URL=")
    with openai.OpenAI(base_url=url, api_key="any", timeout=120) as client:
        yield client
    process.terminate()
    assert process.wait(60) == 0


def ask(client, text, **more):
    return client.chat.completions.create(model="any", messages=[{"role": "user", "content": text}], **more)


def test_the_openai_client_talks_to_it(client, script):
    answer = ask(client, "weather?")
    assert answer.choices[0].message.content == "Looking."
    assert answer.choices[0].message.tool_calls[0].function.arguments == '{"city": "Oslo"}'
    assert answer.usage.prompt_tokens == 2
    chunks = list(ask(client, "hello", stream=True))
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["a ", "b ", "c", None]
    chunks = list(ask(client, "hello", stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.total_tokens == 4
    assert len(client.embeddings.create(model="any", input=["x", "y"]).data[1].embedding) == 256
    assert [model.id for model in client.models.list()] == ["scripted"]
    with pytest.raises(openai.BadRequestError, match="no rule of the model script matches"):
        ask(client, "else")
    with pytest.raises(openai.BadRequestError, match="passed on: service_tier"):
        ask(client, "hello", extra_body={"service_tier": "priority"})
    fresh = script.with_suffix(".new")
    fresh.write_text("rules: [{reply: {text: changed}}]")
    fresh.replace(script)
    assert ask(client, "else").choices[0].message.content == "changed"


@pytest.mark.parametrize("content", ["rules: []", None])
def test_a_script_that_cannot_be_used_is_told(tmp_path, capsys, content):
    path = tmp_path / "bad.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SystemExit) as ended:
        stub.run(["--script", str(path), "--port", "0"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("botyard: model-stub:")
