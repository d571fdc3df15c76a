"""Inspects a bundle of the loop model: what its start-up code and its install function declare."""

import traceback
from pathlib import Path

from botyard.contract.bot import Entrypoint
from botyard.inspection.handlers import handled_tools
from botyard.inspection.manifest import Credential, Finding, Manifest
from botyard.loop.declaration import BotDeclaration
from botyard.loop.erp_schema import use_own
from botyard.loop.erp_tables.own import SchemaError, of_bundle
from botyard.loop.install import Installation, installation_of
from botyard.loop.kernels import problem_of
from botyard.loop.loading import BotNotFoundError, entry_modules, load_bot


def describe_loop(bundle: Path, entrypoint: Entrypoint, credentials: tuple[Credential, ...]) -> Manifest:
    """Return the manifest of a loop bundle; what is wrong with it is among its findings.

    Imports the bundle's code and runs its start-up and install functions.

    Args:
        bundle: Folder of the unpacked bundle.
        entrypoint: Where the bot is; what is left empty is looked for.
        credentials: What the code reads.
    """
    found = entrypoint.model_copy(update={"model": "loop"})
    try:
        own = of_bundle(bundle)
        use_own(bundle)
        bot = load_bot(bundle, entrypoint.module, entrypoint.symbol)
    except (Exception, SystemExit) as error:
        finding = _failure(error, bundle)
        return Manifest(model="loop", entrypoint=found, credentials=credentials, findings=(finding,))
    if not entrypoint.module and len(modules := entry_modules(bundle)) == 1:
        found = found.model_copy(update={"module": modules[0]})
    installation = installation_of(bot)
    findings = [*_warnings(bot, installation.problem), *_kernels(installation), *_without_handler(bundle, bot)]
    experts = {
        name: {"description": expert.fexp_description, "tools": [t.name for t in bot.tools if expert.allows(t.name)]}
        for name, expert in installation.experts.items()
    }
    return Manifest(
        model="loop",
        name=bot.name,
        version=bot.version,
        entrypoint=found,
        credentials=credentials,
        findings=tuple(findings),
        extra={
            "tools": [tool.openai_style_tool()["function"] for tool in bot.tools],
            "erpTables": list(bot.erp_tables),
            "erpSchema": {name: table.model_dump() for name, table in own.items()},
            "experts": experts,
            "schedules": installation.schedules,
            "setup": installation.setup_schema,
            "dialect": bot.dialect,
        },
    )


def _warnings(bot: BotDeclaration, problem: str) -> list[Finding]:
    if not problem:
        return []
    return [
        Finding(
            severity="warning",
            code="NotInstalled",
            subject=bot.name,
            message=f"Experts, schedules and setup are not known: {problem}",
            fix="Give run_bots_in_this_group an install_func that runs without network and secrets.",
        )
    ]


def _kernels(installation: Installation) -> list[Finding]:
    return [
        Finding(
            severity="error",
            code="KernelInvalid",
            subject=name,
            message=f"The kernel of expert {name!r} is no Starlark: {problem}",
            fix="Correct fexp_python_kernel.",
        )
        for name, expert in installation.experts.items()
        if expert.fexp_python_kernel.strip() and (problem := problem_of(expert.fexp_python_kernel))
    ]


def _without_handler(bundle: Path, bot: BotDeclaration) -> list[Finding]:
    """Return a warning for each tool that no code of the bundle can be seen to handle."""
    handled = handled_tools(bundle)
    if handled is None:
        return []
    return [
        Finding(
            severity="warning",
            code="ToolWithoutHandler",
            subject=tool.name,
            message=f"Tool {tool.name!r} is offered to the model, but nothing handles its calls.",
            fix=f"Register a handler with @rcx.on_tool_call({tool.name!r}), or take the tool out of inprocess_tools.",
        )
        for tool in bot.tools
        if tool.name not in handled
    ]


def _failure(error: BaseException, bundle: Path) -> Finding:
    where = ""
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(bundle.resolve()):
            where = f"{path.relative_to(bundle.resolve())}:{frame.lineno}"
    if isinstance(error, SchemaError):
        return Finding(severity="error", code="ErpSchemaInvalid", subject=bundle.name, message=str(error))
    if isinstance(error, BotNotFoundError):
        return Finding(severity="error", code="BotNotFound", subject=bundle.name, message=str(error), where=where)
    message = f"{type(error).__name__}: {error}"
    return Finding(severity="error", code="LoadFailed", subject=bundle.name, message=message, where=where)
