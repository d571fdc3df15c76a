"""The process that runs experts' kernels: Starlark with limits on steps, depth and memory, one program after another.

Requests and answers are lines of JSON on standard input and output. It imports nothing of Botyard, and begins by giving
up what it does not need: memory beyond a bound, files, further processes.
"""

import json
import resource
import sys
from typing import Any

MEMORY = 512 * 1024 * 1024
"""Bytes of address space."""
STEPS_A_CHECK = 1000
"""Instructions between two calls of the check, as the interpreter documents it."""
MAX_PRINTED = 4000
"""Characters."""


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run one kernel.

    Args:
        request: {source, inputs, outputs, steps, depth}: `inputs` are variables, `outputs` names of those to return.

    Returns:
        {values, printed} or {error}.
    """
    import starlark

    printed: list[str] = []
    checks = 0

    def say(*words: object) -> None:
        if sum(map(len, printed)) < MAX_PRINTED:
            printed.append(" ".join(map(str, words))[:MAX_PRINTED])

    def spent() -> bool:
        nonlocal checks
        checks += 1
        return checks * STEPS_A_CHECK > int(request["steps"])

    module = starlark.Module()
    for name in request["outputs"]:
        module[name] = None
    for name, value in request["inputs"].items():
        module[name] = value
    module.add_callable("print", say)
    extended = [starlark.LibraryExtension.Json, starlark.LibraryExtension.Map, starlark.LibraryExtension.Filter]
    dialect = starlark.Dialect.extended()
    dialect.enable_f_strings = True
    dialect.enable_load = False
    options = starlark.EvalOptions(check_cancelled=spent, max_callstack_size=request["depth"])
    try:
        program = starlark.parse("kernel", request["source"], dialect)
        starlark.eval_with(options, module, program, starlark.Globals.extended_by(extended))
        values = {name: module[name] for name in request["outputs"]}
    except starlark.StarlarkError as error:
        said = str(error)
        if "Evaluation cancelled" in said:
            said = f"it took more than {request['steps']} steps"
        return {"error": said[:2000], "printed": printed}
    return {"values": values, "printed": printed}


def main() -> None:
    """Serve until standard input ends."""
    import starlark  # noqa: F401 - before the limits: the library is mapped into memory

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    for line in sys.stdin:
        try:
            answer = json.dumps(run(json.loads(line)), default=str)
        except MemoryError:
            answer = json.dumps({"error": "it used too much memory"})
        except Exception as error:
            answer = json.dumps({"error": f"{type(error).__name__}: {error}"[:2000]})
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
