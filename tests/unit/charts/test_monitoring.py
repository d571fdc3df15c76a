"""The dashboard and the alerts: they can be read, and ask only for metrics that there are."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import CollectorRegistry

from botyard.connector.reporting import Metrics as ConnectorMetrics
from botyard.gateway.metrics import Metrics as GatewayMetrics
from botyard.gateway.routes import RoutingTable
from botyard.runtime.metrics import Metrics as RuntimeMetrics
from botyard_operator.metrics import Metrics as OperatorMetrics

FILES = Path(__file__).resolve().parents[3] / "charts" / "botyard" / "files"
DASHBOARD: dict[str, Any] = json.loads((FILES / "grafana-dashboard.json").read_text())
RULES: dict[str, Any] = yaml.safe_load((FILES / "prometheus-rules.yaml").read_text())
_VARIABLE = re.compile(r"\$__\w+")
"""Grafana puts times in their places."""
_METRIC = re.compile(r"\bbotyard_[a-z_]+\b")
_LABELS = re.compile(r"(?:\{([^}]*)\}|by \(([^)]*)\))")
_TARGET_LABELS = {"namespace", "pod", "le"}
"""Labels that Prometheus adds to what it scrapes, and the buckets' own."""


def _expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for group in RULES["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def _registries() -> Iterator[CollectorRegistry]:
    yield OperatorMetrics().registry
    yield RuntimeMetrics().registry
    yield GatewayMetrics(RoutingTable())._registry
    yield ConnectorMetrics().registry


def _known() -> dict[str, set[str]]:
    """Return the labels of each series that our processes serve."""
    known: dict[str, set[str]] = {}
    for registry in _registries():
        for collector, series in registry._collector_to_names.items():
            labels = set(getattr(collector, "_labelnames", ()))
            known.update(dict.fromkeys(series, labels))
    return known


KNOWN = _known()


@pytest.mark.parametrize("expression", sorted(set(_expressions())))
def test_an_expression_asks_for_what_there_is(expression: str) -> None:
    found = _METRIC.findall(expression)
    assert found
    assert not set(found) - set(KNOWN)
    promql_parser.parse(_VARIABLE.sub("5m", expression))
    allowed = set().union(*(KNOWN[name] for name in found)) | _TARGET_LABELS
    for matchers, grouped in _LABELS.findall(expression):
        names = re.findall(r"([a-z_]+)\s*[=!]", matchers) + [
            word.strip() for word in grouped.split(",") if word.strip()
        ]
        assert set(names) <= allowed


def test_panels_have_places_of_their_own() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    alerts = [rule for group in RULES["groups"] for rule in group["rules"]]
    assert len({alert["alert"] for alert in alerts}) == len(alerts)
    for alert in alerts:
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert {"summary", "description"} <= set(alert["annotations"])


def test_an_alert_waits_and_repeats_in_units_of_prometheus() -> None:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert re.fullmatch(r"\d+(s|m|h)", str(rule.get("for", "0s")))
            assert re.fullmatch(r"[A-Za-z]\w*", rule["alert"])
