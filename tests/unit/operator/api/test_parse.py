"""Reading objects: lenient towards what is new, exact about what is wrong."""

import pytest

from botyard_operator.api.bot import Bot
from botyard_operator.api.bundle import Bundle
from botyard_operator.api.errors import InvalidObject
from botyard_operator.api.persona import Persona
from tests.unit.operator.api.rule_examples import Object, manifest


def test_reads_camel_case_and_fills_in_defaults() -> None:
    bundle = Bundle.parse(manifest("Bundle", {"allowedNamespaces": {"from": "All"}}, name="repairs", namespace="shop"))
    assert (bundle.metadata.namespace, bundle.metadata.name) == ("shop", "repairs")
    assert bundle.spec.allowed_namespaces.from_ == "All"
    assert bundle.spec.interval.seconds == 60
    assert bundle.spec.limits.size.bytes == 100 * 1024**2
    assert bundle.spec.git is not None
    assert bundle.spec.git.ref.effective_branch == "main"
    assert bundle.status.observed_generation == -1


def test_a_tag_means_no_branch() -> None:
    bundle = Bundle.parse(manifest("Bundle", {"git": {"ref": {"tag": "v1"}}}))
    assert bundle.spec.git is not None
    assert bundle.spec.git.ref.effective_branch is None


def test_fields_of_a_newer_definition_are_ignored() -> None:
    obj = manifest("Bot", {"limits": {"fromTheFuture": 1}, "alsoNew": {"a": 1}})
    obj["status"] = {"observedGeneration": 3, "somethingNew": True}
    bot = Bot.parse(obj)
    assert bot.status.observed_generation == 3
    assert bot.spec.limits.concurrency == 32


def test_free_form_values_are_kept_as_they_are() -> None:
    setup = {"greeting": "Hello", "limit": 7, "list": [{"a": None}]}
    assert Persona.parse(manifest("Persona", {"setup": setup})).spec.setup == setup


def test_nulls_of_go_clients_are_empty() -> None:
    obj = manifest("Bot", {})
    obj["metadata"] |= {"labels": None, "annotations": None, "finalizers": None}
    obj["status"] = None
    bot = Bot.parse(obj)
    assert (bot.metadata.labels, bot.metadata.annotations, bot.metadata.finalizers) == ({}, {}, ())
    assert bot.status.observed_generation == -1


def test_a_status_that_cannot_be_read_counts_as_not_written() -> None:
    obj = manifest("Bot", {})
    obj["status"] = {"observedGeneration": "many", "replicas": 3}
    bot = Bot.parse(obj)
    assert bot.status.observed_generation == -1
    assert bot.status.replicas == 0


@pytest.mark.parametrize(
    ("kind", "changes", "path", "words"),
    [
        (Bot, {"bundleRef": None}, "spec.bundleRef", "is required"),
        (Bot, {"replicas": "two"}, "spec.replicas", "whole number"),
        (Bot, {"replicas": -1}, "spec.replicas", "write 0 or more"),
        (Bot, {"suspend": "sometimes"}, "spec.suspend", "write true or false"),
        (Bot, {"config": [1]}, "spec.config", "write an object"),
        (Bot, {"limits": 3}, "spec.limits", "write an object"),
        (Bot, {"credentials": "x"}, "spec.credentials", "write a list"),
        (Bot, {"resources": {"limits": {"cpu": "many"}}}, "spec.resources.limits.cpu", "500m"),
        (Bot, {"model": {"roles": {"a/b": {"name": ""}}}}, "spec.model.roles['a/b'].name", "is empty"),
        (
            Bot,
            {"credentials": [{"name": "A", "secretKeyRef": {"name": "s"}}]},
            "spec.credentials[0].secretKeyRef.key",
            "is required",
        ),
        (Bundle, {"git": {"url": 3}}, "spec.git.url", "write a string"),
        (Bundle, {"entrypoint": {"model": "fms"}}, "spec.entrypoint.model", "'fsm'"),
        (Bundle, {"path": "x" * 600}, "spec.path", "shorten it"),
        (
            Persona,
            {"schedules": [{"name": f"s{i}", "type": "SCHED_ANY", "when": "EVERY:5m"} for i in range(33)]},
            "spec.schedules",
            "at most 32",
        ),
    ],
)
def test_an_error_names_the_field_and_what_to_write(
    kind: type[Bot] | type[Bundle] | type[Persona], changes: Object, path: str, words: str
) -> None:
    with pytest.raises(InvalidObject) as caught:
        kind.parse(manifest(kind.definition.kind, changes))
    assert caught.value.path == path
    assert words in caught.value.message
    assert str(caught.value).startswith(f"{path}: ")


def test_all_problems_are_named() -> None:
    with pytest.raises(InvalidObject) as caught:
        Bundle.parse(manifest("Bundle", {"interval": "1", "limits": {"files": 0}}))
    assert caught.value.path == "spec.interval"
    assert caught.value.others == ("spec.limits.files: is 0; write 1 or more",)


def test_a_bad_name_is_reported_at_the_name() -> None:
    with pytest.raises(InvalidObject) as caught:
        Bot.parse(manifest("Bot", {}, name="1st"))
    assert caught.value.path == "metadata.name"


def test_another_kind_is_refused() -> None:
    with pytest.raises(InvalidObject, match="a Bot is expected"):
        Bot.parse(manifest("Bundle", {}))


def test_long_values_are_shortened_in_messages() -> None:
    with pytest.raises(InvalidObject) as caught:
        Bundle.parse(manifest("Bundle", {"entrypoint": {"model": "x" * 5000}}))
    assert len(caught.value.message) < 300
