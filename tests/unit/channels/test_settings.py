"""The file of channels."""

import pytest

from botyard.channels.errors import ChannelsInvalid
from botyard.channels.settings import load

TELEGRAM = "name: chat, bot: shop/repairs, type: telegram, token: '123:abcdef', secret: '0123456789abcdef'"
WEBHOOK = "name: crm, bot: shop/repairs, type: webhook, url: 'https://crm.test/in', secret: '0123456789abcdef'"


def write(folder, *channels):
    path = folder / "channels.yaml"
    path.write_text("channels:\n" + "".join(f"- {{{channel}}}\n" for channel in channels))
    return path


def test_channels_are_read_with_their_bots(tmp_path):
    telegram, webhook = load(write(tmp_path, TELEGRAM, WEBHOOK))
    assert (telegram.type, telegram.namespace, telegram.bot_name) == ("telegram", "shop", "repairs")
    assert (webhook.type, webhook.url) == ("webhook", "https://crm.test/in")
    assert "abcdef" not in f"{telegram!r}{webhook!r}"


@pytest.mark.parametrize(
    ("channels", "said"),
    [
        ((TELEGRAM, TELEGRAM), "several channels named chat"),
        ((TELEGRAM.replace("telegram", "smoke"),), "type"),
        ((TELEGRAM + ", tokn: x",), "tokn"),
        ((WEBHOOK.replace("https://crm.test/in", "file:///etc/passwd"),), "url"),
        ((WEBHOOK.replace("0123456789abcdef", "short"),), "secret"),
        ((WEBHOOK.replace("shop/repairs", "repairs"),), "bot"),
    ],
)
def test_what_cannot_be_used_is_named_without_its_secrets(tmp_path, channels, said):
    with pytest.raises(ChannelsInvalid, match=said) as raised:
        load(write(tmp_path, *channels))
    assert "abcdef" not in str(raised.value)


def test_a_file_that_is_missing_or_no_yaml_is_told(tmp_path):
    with pytest.raises(ChannelsInvalid, match="cannot read"):
        load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("channels: [")
    with pytest.raises(ChannelsInvalid, match="not YAML"):
        load(tmp_path / "bad.yaml")
