"""What the chart refuses, with a message that says what to write instead."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from botyard.budget.costs import find_price
from botyard.budget.errors import UnknownPrice
from botyard.contract.names import PRICES_NAME
from botyard.contract.prices import PRICES_FILE, parse_prices
from botyard.gateway import settings
from tests.unit.charts.conftest import Template, TemplateError


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"opperator": {}}, "additional properties 'opperator' not allowed"),
        ({"operator": {"logLevel": "LOUD"}}, "operator/logLevel"),
        ({"namespaces": ["Shop"]}, "namespaces/0"),
        ({"tracing": {"endpoint": "otel:4318"}}, "tracing/endpoint"),
        ({"tracing": {"endpoint": "http://otel:port"}}, "tracing/endpoint"),
        ({"images": {"runtime": {"pullPolicy": "Sometimes"}}}, "pullPolicy"),
        ({"redis": {"url": "http://redis:6379"}}, "redis/url"),
        ({"gateway": {"auth": {"ways": ["everybody"]}}}, "gateway/auth/ways/0"),
        ({"gateway": {"auth": {"ways": []}}}, "gateway/auth/ways"),
        ({"gateway": {"auth": {"ways": ["oidc"]}}}, "set gateway.auth.oidc.issuer"),
        (
            {"gateway": {"auth": {"ways": ["oidc"], "oidc": {"issuer": "https://login.example.com"}}}},
            "set gateway.auth.oidc.audiences",
        ),
        ({"gateway": {"auth": {"oidc": {"issuer": "https://login.example.com"}}}}, "add oidc to gateway.auth.ways"),
        ({"gateway": {"auth": {"oidc": {"issuer": "http://login.example.com"}}}}, "gateway/auth/oidc/issuer"),
        ({"gateway": {"auth": {"oidc": {"algorithms": ["HS256"]}}}}, "gateway/auth/oidc/algorithms/0"),
        ({"gateway": {"auth": {"oidc": {"isuer": "https://x"}}}}, "'isuer' not allowed"),
        ({"gateway": {"auth": {"ways": ["tokens"]}}}, "set gateway.auth.tokensSecret"),
        ({"gateway": {"auth": {"tokensSecret": "tokens"}}}, "add tokens to gateway.auth.ways"),
        ({"gateway": {"cors": {"origins": ["chat.example.com"]}}}, "gateway/cors/origins/0"),
        ({"gateway": {"cors": {"origins": ["https://chat.example.com/"]}}}, "gateway/cors/origins/0"),
        ({"gateway": {"chat": {"limits": {"guest": "1/1"}}}}, "'guest' not allowed"),
        ({"gateway": {"chat": {"limits": {"paid": "many"}}}}, "gateway/chat/limits/paid"),
        ({"gateway": {"chat": {"transports": ["smoke"]}}}, "gateway/chat/transports/0"),
        ({"gateway": {"service": {"sessionAffinity": "Cookie"}}}, "gateway/service/sessionAffinity"),
        ({"gateway": {"accounting": {"storage": "ftp://host/x"}}}, "gateway/accounting/storage"),
        ({"gateway": {"accounting": {"storage": "file:///accounting"}}}, "set gateway.accounting.claim"),
        ({"gateway": {"limits": {"userRate": -1}}}, "gateway/limits/userRate"),
        ({"gateway": {"limits": {"streams": 100_000}}}, "gateway/limits/streams"),
        ({"gateway": {"limits": {"userRates": 1}}}, "'userRates' not allowed"),
        (
            {"operator": {"artifacts": {"bucket": {"url": "https://s3.example.com/bots"}}}},
            "operator/artifacts/bucket/url",
        ),
        ({"operator": {"artifacts": {"bucket": {"endpoint": "https://key@s3.example.com"}}}}, "bucket/endpoint"),
        ({"prices": {"unknown": "Guess"}}, "prices/unknown"),
        ({"prices": {"models": [{"model": "gpt"}]}}, "prices/models/0"),
        ({"redis": {"enabled": False}}, "set redis.url, or redis.existingSecret"),
        ({"redis": {"url": "redis://other:6379/0"}}, "need redis.enabled=false"),
    ],
)
def test_wrong_values_are_refused_by_name(values: dict[str, Any], says: str, template: Template) -> None:
    with pytest.raises(TemplateError) as refused:
        template(**values)
    assert says in str(refused.value)


def test_the_gateway_takes_what_the_chart_tells_it(
    template: Template, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    objects = template(
        gateway={
            "auth": {
                "ways": ["kubernetes", "oidc", "tokens"],
                "audiences": ["botyard"],
                "oidc": {
                    "issuer": "https://login.example.com",
                    "audiences": ["chat", "cli"],
                    "caConfigMap": "login-ca",
                },
                "tokensSecret": "gateway-tokens",
            },
            "cors": {"origins": ["https://chat.example.com"]},
            "limits": {"userRate": 0.5, "botRate": 300, "pendingEvents": 1_000_000, "streams": 100},
            "chat": {
                "namespace": "shop",
                "anonymous": True,
                "paidGroups": ["oidc:gold", "oidc:silver"],
                "privilegedGroups": ["oidc:staff"],
                "limits": {"registered": "9/3", "privileged": "unlimited/7"},
                "transports": ["websocket"],
            },
            "accounting": {"storage": "file:///accounting/botyard", "claim": "accounts", "secret": "accounts-key"},
        }
    )
    pod = next(
        found["spec"]["template"]["spec"]
        for found in objects
        if found["kind"] == "Deployment" and found["metadata"]["name"] == "botyard-gateway"
    )
    (container,) = pod["containers"]
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    (tmp_path / "redis-url").write_text("redis://redis:6379/0")
    monkeypatch.setenv("BOTYARD_REDIS_URL_FILE", str(tmp_path / "redis-url"))
    parser = argparse.ArgumentParser()
    settings.add_arguments(parser)
    told = settings.from_arguments(parser.parse_args([]))
    assert told.auth == {"kubernetes", "oidc", "tokens"}
    assert told.audiences == ("botyard",)
    assert told.oidc is not None
    assert (told.oidc.issuer, told.oidc.audiences) == ("https://login.example.com", ("chat", "cli"))
    assert told.cors_origins == ("https://chat.example.com",)
    assert (told.rate, told.burst, told.bot_rate, told.bot_burst) == (0.5, 100, 300.0, 1000)
    assert (told.max_pending, told.max_streams, told.write_timeout) == (1_000_000, 100, 20.0)
    rules = told.chat.rules
    assert (told.chat.namespace, rules.anonymous) == ("shop", True)
    assert (rules.paid_groups, rules.privileged_groups) == ({"oidc:gold", "oidc:silver"}, {"oidc:staff"})
    assert (rules.allowances["registered"].hourly, rules.allowances["privileged"].burst) == (9, 7)
    assert told.chat.transports == ("websocket",)
    assert told.accounting == "file:///accounting/botyard"
    assert container["envFrom"] == [{"secretRef": {"name": "accounts-key"}}]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert told.tokens_file == Path(mounts["tokens"], "tokens.yaml")
    assert told.oidc.ca_file == Path(mounts["oidc-ca"], "ca.crt")
    assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize(
    ("values", "affinity"), [({}, "ClientIP"), ({"gateway": {"service": {"sessionAffinity": "None"}}}, "None")]
)
def test_clients_of_one_address_are_led_to_one_gateway(
    template: Template, values: dict[str, Any], affinity: str
) -> None:
    (service,) = [
        found
        for found in template(**values)
        if (found["kind"], found["metadata"]["name"]) == ("Service", "botyard-gateway")
    ]
    assert service["spec"]["sessionAffinity"] == affinity


def test_prices_become_the_table_that_pods_read(template: Template) -> None:
    price = {"from": "2024-07-18", "input": 0.15, "output": 0.6, "cachedInput": 0.075}
    values = {"models": [{"model": "gpt-4o-mini", "maxOutput": 900, "prices": [price]}]}
    (found,) = [each for each in template(prices=values) if each["metadata"]["name"] == PRICES_NAME]
    table = parse_prices(found["data"][PRICES_FILE])
    entry, rates = find_price(table, "openai", "gpt-4o-mini", 1_800_000_000_000)
    assert (entry.max_output, rates["input"], rates["cached"], rates["output"]) == (900, 150_000, 75_000, 600_000)
    with pytest.raises(UnknownPrice, match="has a price from 2024-07-18 on only"):
        find_price(table, "openai", "gpt-4o-mini", 1_700_000_000_000)
    assert not [each for each in template() if each["metadata"]["name"] == PRICES_NAME]


def test_own_redis_by_url_reaches_gateway_and_operator(template: Template) -> None:
    objects = template(redis={"enabled": False, "url": "rediss://user:pass@redis.example.com:6380/0"})
    secret = next(
        found for found in objects if found["kind"] == "Secret" and found["metadata"]["name"] == "botyard-redis"
    )
    assert set(secret["data"]) == {"redis-url"}
    assert not [
        found for found in objects if found["kind"] == "Deployment" and found["metadata"]["name"] == "botyard-redis"
    ]
    for name in ("botyard-operator", "botyard-gateway"):
        pods = next(
            found["spec"]["template"]["spec"]
            for found in objects
            if found["kind"] == "Deployment" and found["metadata"]["name"] == name
        )
        volume = next(found for found in pods["volumes"] if found["name"] == "redis")
        assert volume["secret"]["secretName"] == "botyard-redis"
