"""What of a workflow bot's events a scenario looks at: what its user sees, with each stream of deltas in one piece."""

from collections.abc import Sequence
from typing import Any

from botyard.program import Output


def seen(outputs: Sequence[Output]) -> list[Output]:
    """Return outputs as a user sees them; those of bots of other models are as they were.

    The pieces of a stream (marker, artifact, agent) become one `chat.delta` with `data: {text, marker, …}` at the place
    of the first; `chat.start` and events for privileged users are left out; the text of `chat.complete` is the answer.
    """
    found: list[Output] = []
    streams: dict[tuple[Any, ...], int] = {}
    for output in outputs:
        if output.type == "chat.start" or output.delivery.audience == "privileged":
            continue
        if (delta := output.members.get("delta")) is None:
            found.append(_answer(output) if output.type == "chat.complete" else output)
            continue
        extra = output.members.get("extra") or {}
        stream = (delta["marker"], extra.get("artifact_name"), output.agent)
        if stream not in streams or delta["index"] == 0:
            streams[stream] = len(found)
            found.append(output.model_copy(update={"data": {"text": "", "marker": delta["marker"], **extra}}))
        place = streams[stream]
        data = found[place].data
        found[place] = found[place].model_copy(update={"data": {**data, "text": data["text"] + delta["text"]}})
    return found


def _answer(output: Output) -> Output:
    data = {name: value for name, value in output.data.items() if value is not None}
    return output.model_copy(update={"data": {**data, "text": str(data.get("final_answer", ""))}})
