"""A pod template and patches of it, whose results are compared with the API server's own."""

from typing import Any

_IMAGE = "registry.example.com/x:1"

ORIGINAL: dict[str, Any] = {
    "metadata": {"labels": {"app": "clerk"}, "annotations": {"note": "one"}},
    "spec": {
        "terminationGracePeriodSeconds": 30,
        "tolerations": [{"key": "old", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "first"}],
        "initContainers": [{"name": "fetch", "image": _IMAGE}],
        "containers": [
            {
                "name": "supervisor",
                "image": _IMAGE,
                "args": ["supervisor"],
                "ports": [{"name": "http", "containerPort": 8081, "protocol": "TCP"}],
                "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
            },
            {
                "name": "worker",
                "image": _IMAGE,
                "args": ["worker", "host"],
                "env": [{"name": "A", "value": "1"}],
                "resources": {"requests": {"cpu": "100m"}},
                "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
            },
        ],
        "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "config", "configMap": {"name": "clerk-bot"}}],
    },
}

PATCHES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "plain fields": {"spec": {"nodeSelector": {"pool": "bots"}, "priorityClassName": "low"}},
    "labels and annotations": {"metadata": {"labels": {"team": "shop"}, "annotations": {"note": "two"}}},
    "null removes": {"metadata": {"annotations": {"note": None}}, "spec": {"tolerations": None}},
    "an entry of a list": {"spec": {"containers": [{"name": "worker", "env": [{"name": "B", "value": "2"}]}]}},
    "a new entry of a list": {"spec": {"containers": [{"name": "proxy", "image": _IMAGE}]}},
    "entries in another order": {
        "spec": {"containers": [{"name": "worker", "tty": True}, {"name": "supervisor", "tty": True}]}
    },
    "new and old entries": {
        "spec": {
            "containers": [
                {"name": "proxy", "image": _IMAGE},
                {"name": "worker", "env": [{"name": "A", "value": "3"}, {"name": "C", "value": "4"}]},
                {"name": "last", "image": _IMAGE},
            ]
        }
    },
    "a list without a key": {"spec": {"tolerations": [{"key": "pool", "operator": "Exists"}]}},
    "a list of plain values": {"spec": {"containers": [{"name": "worker", "args": ["other"]}]}},
    "nested maps": {"spec": {"containers": [{"name": "worker", "resources": {"limits": {"memory": "1Gi"}}}]}},
    "an entry deleted": {"spec": {"volumes": [{"name": "config", "$patch": "delete"}]}},
    "a list replaced": {
        "spec": {"imagePullSecrets": [{"$patch": "replace"}, {"name": "second"}]},
    },
    "a map replaced": {"metadata": {"annotations": {"$patch": "replace", "other": "three"}}},
    "a map deleted": {"metadata": {"annotations": {"$patch": "delete"}}},
    "a volume of another type": {
        "spec": {"volumes": [{"name": "config", "$retainKeys": ["name", "emptyDir"], "emptyDir": {"medium": "Memory"}}]}
    },
    "mounts by their path": {
        "spec": {
            "containers": [
                {
                    "name": "worker",
                    "volumeMounts": [
                        {"name": "config", "mountPath": "/config"},
                        {"name": "scratch", "mountPath": "/tmp", "readOnly": True},
                    ],
                }
            ]
        }
    },
    "ports by their number": {
        "spec": {"containers": [{"name": "supervisor", "ports": [{"containerPort": 9000, "name": "extra"}]}]}
    },
    "affinity and spreading": {
        "spec": {
            "topologySpreadConstraints": [
                {
                    "topologyKey": "zone",
                    "maxSkew": 1,
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {"app": "clerk"}},
                }
            ],
            "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["erp"]}],
        }
    },
}
