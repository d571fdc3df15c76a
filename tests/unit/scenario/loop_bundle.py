"""A loop bot with tools of every kind, and a script for its model, for scenarios."""

from textwrap import dedent

BOT = """
import asyncio

from flexus_client_kit import ckit_bot_exec, ckit_bot_install, ckit_client, ckit_cloudtool, ckit_kanban, ckit_shutdown

PROMPT = "Find the customer called Ada."


def tool(name, *arguments):
    properties = {argument: {"type": "string"} for argument in arguments}
    schema = {"type": "object", "properties": properties, "required": list(arguments), "additionalProperties": False}
    return ckit_cloudtool.CloudTool(strict=True, name=name, description=name, parameters=schema)


TOOLS = [tool("look", "what"), tool("delete", "what"), tool("crm", "q"), tool("broken")]


async def install(client, name, version, tools):
    await ckit_bot_install.marketplace_upsert_dev_bot(
        client,
        marketable_name=name,
        marketable_experts=[
            ("default", ckit_bot_install.FMarketplaceExpertInput(fexp_system_prompt="You are the clerk.")),
            ("reader", ckit_bot_install.FMarketplaceExpertInput(fexp_system_prompt="You read.")),
        ],
    )


async def main_loop(client, rcx):
    @rcx.on_tool_call("look")
    async def look(call, args):
        return f"saw {args['what']}"

    @rcx.on_tool_call("delete")
    async def delete(call, args):
        if not call.confirmed_by_human:
            raise ckit_cloudtool.NeedsConfirmation(
                confirm_setup_key="", confirm_command=f"delete {args['what']}", confirm_explanation="It is for good."
            )
        return f"deleted {args['what']}"

    @rcx.on_tool_call("broken")
    async def broken(call, args):
        raise RuntimeError("no account")

    @rcx.on_updated_task
    async def on_task(task):
        if task.ktask_column == "inbox" and task.ktask_title.startswith("New"):
            await ckit_kanban.bot_kanban_post_into_inbox(client, rcx.persona.persona_id, "Follow up", {})

    if rcx.persona.persona_setup.get("crash"):
        raise RuntimeError("it does not start")
    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    scenario_fn = ckit_bot_exec.parse_bot_args()
    client = ckit_client.FlexusClient(ckit_client.bot_service_name("clerk", "1.0.0"))
    asyncio.run(
        ckit_bot_exec.run_bots_in_this_group(
            client,
            marketable_name="clerk",
            marketable_version_str="1.0.0",
            bot_main_loop=main_loop,
            inprocess_tools=TOOLS,
            scenario_fn=scenario_fn,
            install_func=install,
        )
    )


if __name__ == "__main__":
    main()
"""

SCRIPT = """
rules:
- when: {last_role: user, contains: find}
  reply: {text: "I look.", tool_calls: [{name: look, arguments: {what: Ada}}]}
- when: {last_role: user, contains: remove}
  reply: {tool_calls: [{name: delete, arguments: {what: Ada}}, {name: delete, arguments: {what: Bob}}]}
- when: {last_role: user, contains: lookup}
  reply: {tool_calls: [{name: crm, arguments: {q: Ada}}]}
- when: {last_role: tool}
  reply: {text: "It says: {last}"}
- reply: {text: "ok"}
"""


def of(steps: str) -> str:
    return "scenario: It works\nsteps:\n" + dedent(steps)
