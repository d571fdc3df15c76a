"""A release is left alone exactly as long as its chart and its values stay the same."""

from demo.installation import Release, botyard

IMAGES = {
    name: {"repository": f"botyard/{name}", "tag": "1"} for name in ("operator", "runtime", "redis", "git-server")
}


def test_equal_charts_and_values_have_an_equal_digest() -> None:
    assert botyard(IMAGES).digest == botyard(dict(reversed(IMAGES.items()))).digest


def test_every_difference_changes_the_digest() -> None:
    newer = {**IMAGES, "operator": {"repository": "botyard/operator", "tag": "2"}}
    digests = {
        botyard(IMAGES).digest,
        botyard(newer).digest,
        botyard(IMAGES, namespaces=["shop"]).digest,
        Release("botyard", "botyard-crds", dict(botyard(IMAGES).values)).digest,
    }
    assert len(digests) == 4


def test_only_the_charts_own_images_reach_its_values() -> None:
    assert set(botyard(IMAGES).values["images"]) == {"operator", "runtime", "redis"}
