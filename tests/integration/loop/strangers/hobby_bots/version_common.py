from pathlib import Path

HOBBY_VERSION = (Path(__file__).parent.parent / "VERSION").read_text().strip()
