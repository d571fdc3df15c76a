"""A model that rates conversations, over the OpenAI protocol: what it says, how it fails, what it may cost."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from botyard.budget.costs import rates_of
from botyard.contract.prices import SCRIPTED
from botyard.models import script
from botyard.models.http_provider import Patience
from botyard.models.retries import RetryPolicy
from botyard.models.scripted import ScriptedProvider
from botyard.models.server import OpenAIServer
from botyard.models.stub import StubBackend
from botyard.program import Output
from botyard.scenario.command import main
from botyard.scenario.document import Scenario
from botyard.scenario.judge import ANSWERS, MAX_OUTPUT, JudgeError, Judging
from botyard.scenario.purse import Purse
from tests.integration.models.double import Provider, completion, running, says
from tests.unit.scenario.loop_bundle import of

SCENARIO = "judge: {instructions: Be kind., threshold: 6}\n" + of("- {say: hello, expect: ok}")
COIN_A_TOKEN = rates_of(SCRIPTED.prices[0])
ENOUGH = 100_000


def rating(text: str, **usage: int) -> Any:
    return says(completion(text, **(usage or {"prompt_tokens": 100, "completion_tokens": 20})))


class TestOnTheCommandLine:
    """With the scripted model as the judge, over HTTP as `botyard model-stub` serves it."""

    @pytest.fixture
    def judged(self) -> Iterator[Callable[..., str]]:
        """Serves a judge that says one thing, on a thread of its own; returns its address."""
        loop, stops = asyncio.new_event_loop(), []
        threading.Thread(target=loop.run_forever, daemon=True).start()

        def serve(said: str, **usage: int) -> str:
            rules = [
                {
                    "when": {"contains": "Be kind.", "system_contains": "You judge"},
                    "reply": {"text": said, "usage": usage},
                }
            ]
            provider = ScriptedProvider(lambda: script.load(json.dumps({"rules": rules})))
            server = OpenAIServer(lambda headers: StubBackend(provider, "m"))
            started: Future[None] = asyncio.run_coroutine_threadsafe(server.start("127.0.0.1", 0), loop)
            started.result(60)
            stops.append(server.close)
            return f"http://127.0.0.1:{server.port}/v1"

        yield serve
        for stop in stops:
            asyncio.run_coroutine_threadsafe(stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)

    @pytest.mark.parametrize(
        ("said", "more", "code", "told"),
        [
            ('{"rating": 8, "feedback": "Kind."}', [], 0, "rated 8"),
            ('Well: {"rating": 4, "feedback": "Curt.", "criticism": [{"turn": 1, "severity": 2, "text": "No hello."}]}',
             [], 1, "the judge rates it 4, 6 was wanted: Curt."),
            ('{"rating": 8}', ["--threshold", "9"], 1, "9 was wanted"),
            ("I do not know.", [], 1, "the judge answered 3 times without a rating"),
            ('{"rating": 11}', [], 1, "the judge answered 3 times without a rating"),
            ('{"rating": true}', [], 1, "the judge answered 3 times without a rating"),
            ('{"rating": 8}', ["--judge-budget", "4000"], 1, "the judge is not asked: it may cost"),
        ],
        ids=["enough", "not-enough", "threshold-of-the-run", "no-rating", "out-of-range", "no-number", "too-dear"],
    )  # fmt: skip
    def test_a_rating_decides(
        self, bundle: Any, judged: Any, capsys: Any, said: str, more: list[str], code: int, told: str
    ) -> None:
        assert main([str(bundle(SCENARIO)), "--judge", judged(said), "--judge-model", "m", *more]) == code
        assert told in capsys.readouterr().out

    def test_what_it_said_and_cost_is_in_the_results(self, bundle: Any, judged: Any, tmp_path: Path) -> None:
        said = '{"rating": 4, "feedback": "Curt.", "criticism": [{"turn": 1, "severity": 2, "text": "No hello."}]}'
        url = judged(said, input_tokens=200, output_tokens=50)
        results = tmp_path / "results.json"
        assert main([str(bundle(SCENARIO)), "--judge", url, "--judge-model", "m", "--json", str(results)]) == 1
        told = json.loads(results.read_text())
        assert told["judge"] == {"model": "m", "calls": 1, "coins": 250, "budget": 500_000}
        [one] = told["scenarios"]
        assert one["judgement"] == {
            "rating": 4, "feedback": "Curt.", "criticism": ["turn 1 (severity 2): No hello."],
        }  # fmt: skip
        assert one["problems"][0].startswith("the judge rates it 4")

    def test_its_price_is_the_one_of_the_table_and_an_unknown_one_is_refused(
        self, bundle: Any, judged: Any, tmp_path: Path, capsys: Any
    ) -> None:
        url = judged('{"rating": 8}', input_tokens=200, output_tokens=50)
        prices, results = tmp_path / "prices.yaml", tmp_path / "results.json"
        prices.write_text("models: [{model: m, prices: [{input: 3, output: 10}]}]")
        command = [str(bundle(SCENARIO)), "--judge", url, "--prices", str(prices), "--json", str(results)]
        assert main([*command, "--judge-model", "m"]) == 0
        assert json.loads(results.read_text())["judge"]["coins"] == 200 * 3 + 50 * 10
        assert main([*command, "--judge-model", "dear"]) == 2
        assert "model 'dear' has no price" in capsys.readouterr().err

    def test_nobody_is_asked_without_one(self, bundle: Any) -> None:
        assert main([str(bundle(SCENARIO))]) == 0


class TestABadJudge:
    @dataclass
    class Bench:
        provider: Provider
        judging: Judging

        async def rated(self, *answers: Any) -> float:
            self.provider.next = list(answers)
            scenario = Scenario.model_validate(
                {"scenario": "X", "judge": {"instructions": "Be kind."}, "steps": [{"say": "hello"}]}
            )
            transcript = [(scenario.steps[0], [Output(type="thread.message", data={"text": "ok"})])]
            return (await self.judging.judge(scenario, transcript)).rating

    @pytest.fixture
    async def bench(self) -> Any:
        async with running() as provider:
            quick = RetryPolicy(first=0.01, longest=0.01)
            judging = Judging(provider.url, "m", Purse(ENOUGH, COIN_A_TOKEN), key="k", retries=quick)
            yield self.Bench(provider, judging)

    async def test_is_asked_with_its_key_and_a_limit_and_reads_the_conversation(self, bench: Bench) -> None:
        assert await bench.rated(rating('{"rating": 7.5}')) == 7.5
        [asked], [headers] = bench.provider.requests, bench.provider.headers
        assert headers["Authorization"] == "Bearer k"
        assert asked["max_tokens"] == MAX_OUTPUT
        assert "say: hello" in asked["messages"][1]["content"]
        assert bench.judging.purse.spent == 120

    @pytest.mark.parametrize("status", [429, 503])
    async def test_that_is_busy_is_asked_again_and_charges_nothing_for_it(self, bench: Bench, status: int) -> None:
        busy = says({"error": "slow down"}, status)
        assert await bench.rated(busy, busy, rating('{"rating": 8}')) == 8
        assert bench.judging.purse.spent == 120

    async def test_that_stays_busy_is_given_up_after_three_tries(self, bench: Bench) -> None:
        with pytest.raises(JudgeError, match="cannot be asked"):
            await bench.rated(says({"error": "slow down"}, 429))
        assert len(bench.provider.requests) == 3
        assert bench.judging.purse.spent == 0

    async def test_that_says_no_json_is_asked_so_often_and_every_answer_is_paid(self, bench: Bench) -> None:
        with pytest.raises(JudgeError, match="3 times without a rating, last: 'perhaps'"):
            await bench.rated(rating("{half a"), rating("[]"), rating("perhaps"))
        assert len(bench.provider.requests) == ANSWERS
        assert bench.judging.purse.spent == ANSWERS * 120

    async def test_that_is_silent_is_given_up_and_counts_with_its_worst_case(self, bench: Bench) -> None:
        bench.judging = replace(bench.judging, patience=Patience(answer=0.2, whole=0.5))
        with pytest.raises(JudgeError, match="cannot be asked"):
            await bench.rated(bench.provider.hang)
        assert len(bench.provider.requests) == 1
        assert bench.judging.purse.spent > MAX_OUTPUT

    async def test_that_reports_no_usage_counts_with_its_worst_case(self, bench: Bench) -> None:
        await bench.rated(says(completion('{"rating": 8}')))
        assert bench.judging.purse.spent > MAX_OUTPUT

    async def test_that_does_not_know_its_key_is_told_at_once(self, bench: Bench) -> None:
        with pytest.raises(JudgeError, match="cannot be asked"):
            await bench.rated(says({"error": "who are you?"}, 401))
        assert len(bench.provider.requests) == 1

    async def test_is_never_asked_beyond_its_budget(self, bench: Bench) -> None:
        """Whatever it answers: the worst case of the next call must fit into what is left."""
        bench.judging = replace(bench.judging, purse=Purse(3 * MAX_OUTPUT, COIN_A_TOKEN))
        unpaid = says(completion('{"rating": 8}'))
        assert await bench.rated(unpaid) == 8
        assert await bench.rated(unpaid) == 8
        with pytest.raises(JudgeError, match="is not asked"):
            await bench.rated(unpaid)
        assert bench.judging.purse.spent <= bench.judging.purse.budget
