"""A clerk: reacts to new contacts, proposes follow-ups, and asks before it writes to anybody."""

import asyncio
import json
from pathlib import Path

from clerk import clerk_install

from flexus_client_kit import ckit_ask_model, ckit_bot_exec, ckit_client, ckit_cloudtool, ckit_kanban, ckit_shutdown

NAME = "clerk"
VERSION = "1.0.0"


def _tool(name: str, description: str, **arguments: str) -> ckit_cloudtool.CloudTool:
    return ckit_cloudtool.CloudTool(
        strict=True,
        name=name,
        description=description,
        parameters={
            "type": "object",
            "properties": {key: {"type": "string", "description": text} for key, text in arguments.items()},
            "required": list(arguments),
            "additionalProperties": False,
        },
    )


FIND_CONTACT = _tool("find_contact", "What is known of a contact.", contact_id="Its id.")
PROPOSE = _tool(
    "propose_follow_up",
    "Put a follow-up on the board, for a person to take up.",
    contact_id="Whom it is about.",
    what="What to do, in one sentence.",
)
ASK_ADVISER = _tool("ask_adviser", "Ask an adviser for the next step with a contact.", contact_id="Whom it is about.")
WRITE = _tool(
    "write_letter",
    "Write a letter to a contact. A person confirms it first.",
    contact_id="To whom.",
    text="The letter.",
)
TOOLS = [FIND_CONTACT, PROPOSE, ASK_ADVISER, WRITE]


class Contacts:
    """The contacts that this Persona has heard of, kept in its folder."""

    def __init__(self, folder: str) -> None:
        self._file = Path(folder) / "contacts.json"

    def remember(self, contact) -> None:
        known = self._all()
        known[contact.contact_id] = {
            "name": f"{contact.contact_first_name} {contact.contact_last_name}".strip(),
            "email": contact.contact_email,
            "notes": contact.contact_notes,
        }
        self._file.write_text(json.dumps(known))

    def find(self, contact_id: str) -> dict | None:
        return self._all().get(contact_id)

    def _all(self) -> dict:
        return json.loads(self._file.read_text()) if self._file.exists() else {}


async def main_loop(fclient, rcx):
    setup = ckit_bot_exec.official_setup_mixing_procedure(clerk_install.SETUP, rcx.persona.persona_setup)
    contacts = Contacts(rcx.workdir)
    persona_id = rcx.persona.persona_id

    @rcx.on_erp_change("crm_contact")
    async def on_contact(action, new, old):
        if action in ("INSERT", "UPDATE"):
            contacts.remember(new)
        if action == "INSERT":
            name = contacts.find(new.contact_id)["name"] or new.contact_id
            details = {"description": f"{name} is a new contact.", "contact_id": new.contact_id}
            await ckit_kanban.bot_kanban_post_into_inprogress(fclient, persona_id, f"New contact: {name}", details)

    @rcx.on_tool_call(FIND_CONTACT.name)
    async def find_contact(toolcall, args):
        found = contacts.find(args["contact_id"])
        return json.dumps(found) if found else f"There is no contact {args['contact_id']}."

    @rcx.on_tool_call(PROPOSE.name)
    async def propose(toolcall, args):
        details = {"description": args["what"], "contact_id": args["contact_id"]}
        await ckit_kanban.bot_kanban_post_into_inbox(fclient, persona_id, f"Follow up: {args['what']}", details)
        return "It is on the board."

    @rcx.on_tool_call(ASK_ADVISER.name)
    async def ask_adviser(toolcall, args):
        found = contacts.find(args["contact_id"])
        if not found:
            return f"There is no contact {args['contact_id']}."
        raise ckit_cloudtool.WaitForSubchats(
            await ckit_ask_model.bot_subchat_create_multiple(
                fclient,
                "clerk_adviser",
                persona_id,
                first_question=[f"The contact: {json.dumps(found)}"],
                title=[f"Advice on {found['name']}"],
                fcall_id=toolcall.fcall_id,
                fexp_name="adviser",
            )
        )

    @rcx.on_tool_call(WRITE.name)
    async def write(toolcall, args):
        found = contacts.find(args["contact_id"])
        if not found or not found["email"]:
            return f"There is no address of {args['contact_id']}."
        if not (setup["letters_without_asking"] or toolcall.confirmed_by_human):
            raise ckit_cloudtool.NeedsConfirmation(
                confirm_setup_key="letters_without_asking",
                confirm_command=f"write to {found['email']}",
                confirm_explanation=f"To {found['name']}: {args['text']}",
            )
        letter = f"To: {found['email']}\n\n{args['text']}\n\n{setup['sender']}\n"
        with (Path(rcx.workdir) / "letters.txt").open("a") as letters:
            letters.write(letter)
        return f"The letter to {found['email']} is in the mail."

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    scenario_fn = ckit_bot_exec.parse_bot_args()
    fclient = ckit_client.FlexusClient(ckit_client.bot_service_name(NAME, VERSION), endpoint="/v1/jailed-bot")
    asyncio.run(
        ckit_bot_exec.run_bots_in_this_group(
            fclient,
            marketable_name=NAME,
            marketable_version_str=VERSION,
            bot_main_loop=main_loop,
            inprocess_tools=TOOLS,
            scenario_fn=scenario_fn,
            install_func=clerk_install.install,
            subscribe_to_erp_tables=["crm_contact"],
        )
    )


if __name__ == "__main__":
    main()
