"""What tests of existing bots replace: names of the published library's modules.

`patch("jb_manager_bot.abstract_fsm.Parser")` puts something else where such bots find a class. The machine works in
`botyard.fsm`, so it asks here for the few classes that such tests stand in for.
"""

import sys
from typing import TypeVar

T = TypeVar("T")


def in_place_of(own: T, module: str, name: str) -> T:
    """Return what stands under a published name, or `own` where nobody imported that module.

    Args:
        own: What the name means here.
        module: Of `jb_manager_bot`, such as "abstract_fsm".
        name: In that module.
    """
    published = sys.modules.get(f"jb_manager_bot.{module}")
    found: T = vars(published).get(name, own) if published is not None else own
    return found
