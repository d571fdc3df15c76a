"""The machines of revisions beside the manifest."""

import json

from botyard_operator.reconcile.machines import MAX_BYTES, NO_MACHINE, machines_text, shape_of


def test_a_manifest_without_a_machine_has_no_shape() -> None:
    for manifest in ({}, {"machine": None}, {"machine": "x"}, {"machine": {"states": 7}}, {"machine": {"nested": []}}):
        assert shape_of(manifest) == NO_MACHINE


def test_older_ones_stay_while_the_bundle_keeps_them() -> None:
    first = machines_text(None, "sha256:1", json.dumps({"machine": {"states": ["zero"]}}), [])
    second = machines_text(first, "sha256:2", json.dumps({"machine": {"states": ["zero", "ask"]}}), ["sha256:1"])
    assert json.loads(second) == {"sha256:1": {"states": ["zero"]}, "sha256:2": {"states": ["zero", "ask"]}}
    third = machines_text(second, "sha256:3", json.dumps({"machine": {"states": ["zero"]}}), ["sha256:2"])
    assert sorted(json.loads(third)) == ["sha256:2", "sha256:3"]


def test_the_oldest_give_way_where_the_object_would_be_too_large() -> None:
    large = {"machine": {"states": ["zero", "x" * (MAX_BYTES // 4)]}}
    text = ""
    for number in range(4):
        kept = [f"sha256:{older}" for older in reversed(range(number))]
        text = machines_text(text, f"sha256:{number}", json.dumps(large), kept)
        assert len(text) + len(json.dumps(large)) <= MAX_BYTES
    assert sorted(json.loads(text)) == ["sha256:2", "sha256:3"]


def test_an_entry_that_somebody_spoiled_is_written_anew() -> None:
    for spoiled in ("{", "[]", "null"):
        text = machines_text(spoiled, "sha256:1", json.dumps({"machine": {"states": ["zero"]}}), ["sha256:0"])
        assert json.loads(text) == {"sha256:1": {"states": ["zero"]}}
