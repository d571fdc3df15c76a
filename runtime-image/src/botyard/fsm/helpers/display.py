"""States that show something or ask for a language."""

from collections.abc import Sequence
from typing import Any

from botyard.fsm.helpers.base import MachineHelpers
from botyard.fsm.messages import (
    ButtonMessage,
    DialogMessage,
    DialogOption,
    FSMIntent,
    FSMOutput,
    ImageMessage,
    ListMessage,
    Message,
    MessageType,
    Option,
    OptionsListType,
    TextMessage,
)
from botyard.fsm.messages.neutral import MAX_BUTTONS
from botyard.fsm.status import Status

# Users of existing bots know these labels.
_HEADER = "Select Below"
_FOOTER = "Please select"
_MENU_BUTTON = "Menu"
_MENU_TITLE = "Select an option"


def option_list(options: Sequence[Any]) -> list[Option]:
    """Return options for a message: texts get the ids "1" to "n", options of either dialect keep theirs."""
    made = []
    for number, option in enumerate(options, start=1):
        if isinstance(option, Option):
            made.append(option)
        elif isinstance(option, OptionsListType):
            made.append(Option(option_id=option.id, option_text=option.title))
        elif isinstance(option, dict):
            made.append(Option.model_validate(option))
        else:
            made.append(Option(option_id=str(number), option_text=str(option)))
    return made


class DisplayHelpers(MachineHelpers):
    """`_on_enter_display` and its relatives."""

    def _on_enter_select_language(self) -> None:
        """Ask for a language; the next state gets the input "language_selected"."""
        self.status = Status.WAIT_FOR_ME
        self.send_message(FSMOutput(intent=FSMIntent.LANGUAGE_CHANGE))
        self.status = Status.WAIT_FOR_USER_INPUT

    def _on_enter_display(
        self,
        message: str,
        options: Sequence[Any] | None = None,
        dialog: str | None = None,
        menu_selector: str | None = None,
        menu_title: str | None = None,
        media_url: str | None = None,
        dest_channel: str = "out",
    ) -> None:
        """Show a message and move on.

        Args:
            message: The text, or the caption of `media_url`.
            options: Choices, as texts or options; up to three become buttons, more become a list.
            dialog: Name of a dialog to open instead, such as "language".
            menu_selector: Title over the choices of a list.
            menu_title: Text of the button that opens a list.
            media_url: Address of a picture to show.
            dest_channel: "out", or "channel" for a message that is not translated.
        """
        self.status = Status.WAIT_FOR_ME
        self.send_message(_display_output(message, options, dialog, menu_selector, menu_title, media_url, dest_channel))
        self.status = Status.MOVE_FORWARD


def _display_output(
    message: str,
    options: Sequence[Any] | None,
    dialog: str | None,
    menu_selector: str | None,
    menu_title: str | None,
    media_url: str | None,
    dest_channel: str,
) -> FSMOutput:
    if dialog and not options and not media_url:
        known = _dialog_of(dialog)
        if known is DialogOption.LANGUAGE_CHANGE:
            return FSMOutput(intent=FSMIntent.LANGUAGE_CHANGE)
        if known is not None:
            content = Message(message_type=MessageType.DIALOG, dialog=DialogMessage(dialog_id=known))
            return _said(content, dest_channel)
    if options:
        made = option_list(options)
        if len(made) <= MAX_BUTTONS:
            content = Message(
                message_type=MessageType.BUTTON,
                button=ButtonMessage(header=_HEADER, body=message, footer=_FOOTER, options=made),
            )
        else:
            content = Message(
                message_type=MessageType.OPTION_LIST,
                option_list=ListMessage(
                    header=_HEADER,
                    body=message,
                    footer=_FOOTER,
                    button_text=menu_title or _MENU_BUTTON,
                    list_title=menu_selector or _MENU_TITLE,
                    options=made,
                ),
            )
    elif media_url:
        content = Message(message_type=MessageType.IMAGE, image=ImageMessage(url=media_url, caption=message or ""))
    else:
        content = Message(message_type=MessageType.TEXT, text=TextMessage(body=message))
    return _said(content, dest_channel)


def _said(content: Message, dest: str) -> FSMOutput:
    """Return the output of a message; its destination is written out only where it is not the user."""
    elsewhere = {} if dest == "out" else {"dest": dest}
    return FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=content, **elsewhere)


def _dialog_of(name: str) -> DialogOption | None:
    known = name.strip().upper()
    if known in ("LANGUAGE", DialogOption.LANGUAGE_CHANGE.value):
        return DialogOption.LANGUAGE_CHANGE
    try:
        return DialogOption(known)
    except ValueError:
        return None
