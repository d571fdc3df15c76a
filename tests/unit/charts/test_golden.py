"""The rendered chart, read whole: a change of a template shows as a change of a golden file.

`BOTYARD_UPDATE_GOLDEN=1 .venv/bin/pytest tests/unit/charts` writes the files anew; read the diff before committing.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.charts.conftest import Template

GOLDEN = Path(__file__).parent / "golden"

INSTALLATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "namespaced": {"namespaces": ["shop", "billing"], "userRoles": {"create": False}},
    "production": {
        "images": {"operator": {"tag": "1.2.3"}, "runtime": {"tag": "1.2.3"}, "redis": {"tag": "1.2.3"}},
        "imagePullSecrets": [{"name": "registry"}],
        "operator": {
            "artifacts": {"persistence": {"enabled": True, "size": "20Gi", "storageClassName": "fast"}},
            "nodeSelector": {"pool": "platform"},
        },
        "gateway": {
            "replicas": 3,
            "service": {"type": "LoadBalancer", "annotations": {"example.com/lb": "internal"}},
            "auth": {
                "ways": ["kubernetes", "oidc"],
                "oidc": {"issuer": "https://login.example.com", "audiences": ["chat"], "caConfigMap": "login-ca"},
            },
            "cors": {"origins": ["https://chat.example.com"]},
            "limits": {"botRate": 300},
        },
        "redis": {"persistence": {"enabled": True, "size": "20Gi"}},
        "networkPolicies": {"enabled": True},
        "tracing": {"endpoint": "http://collector.monitoring:4318", "ratio": 0.1},
    },
    "bucket": {
        "operator": {
            "artifacts": {
                "bucket": {
                    "url": "s3://bots/artifacts",
                    "endpoint": "https://s3.example.com",
                    "existingSecret": "bucket",
                }
            }
        }
    },
    "connector": {
        "connector": {
            "enabled": True,
            "replicas": 2,
            "sources": [
                {
                    "name": "erp",
                    "namespace": "shop",
                    "tables": ["crm_contact", "sales.com_order"],
                    "addressSecret": {"name": "shop-erp"},
                    "snapshot": "1",
                },
                {
                    "name": "stock",
                    "namespace": "shop",
                    "tables": ["inventory_balance"],
                    "addressSecret": {"name": "stock", "key": "url"},
                },
            ],
        },
        "networkPolicies": {"enabled": True},
    },
    "own-redis": {"redis": {"enabled": False, "existingSecret": "shared-redis"}},
}


@pytest.mark.parametrize("name", INSTALLATIONS)
def test_rendered_chart_is_the_golden_file(name: str, template: Template) -> None:
    golden = GOLDEN / f"{name}.yaml"
    rendered = yaml.safe_dump_all(template(**INSTALLATIONS[name]), sort_keys=True, width=120)
    if os.environ.get("BOTYARD_UPDATE_GOLDEN"):
        golden.write_text(rendered)
    assert rendered == golden.read_text()
