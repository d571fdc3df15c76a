# ruff: noqa - written as bot authors write: the 0.2 dialect, with its annotations and names
import json
import asyncio
from enum import Enum
from typing import Any, Dict, List, Optional, Set, Type

from pydantic import BaseModel, Field
from jb_manager_bot import AbstractFSM
from jb_manager_bot.abstract_fsm import Variables
from jb_manager_bot.data_models import (
    AudioMessage,
    ButtonMessage,
    DialogMessage,
    DialogOption,
    DocumentMessage,
    FormMessage,
    FSMIntent,
    FSMOutput,
    ImageMessage,
    ListMessage,
    Message,
    MessageType,
    Option,
    RAGQuery,
    Status,
    TextMessage,
)
from jb_manager_bot.parsers import OptionParser, Parser
from jb_manager_bot.parsers.utils import LLMManager


class PayReturnStatus(Enum):
    SUCCESS = "success"
    FAILURE = "failure"


class PayVariables(Variables):
    amount: Optional[int] = None
    purpose: Optional[str] = None
    reference: Optional[str] = None
    receipt: Optional[str] = None


class PayPlugin(AbstractFSM):
    return_status_values = PayReturnStatus
    variable_names = PayVariables
    states = ["zero", "send_link", "await_callback", "process_callback", "success", "failure", "end"]
    transitions = [
        {"source": "zero", "dest": "send_link", "trigger": "next"},
        {"source": "send_link", "dest": "await_callback", "trigger": "next"},
        {"source": "await_callback", "dest": "process_callback", "trigger": "next"},
        {"source": "process_callback", "dest": "success", "trigger": "next", "conditions": "was_paid"},
        {"source": "process_callback", "dest": "failure", "trigger": "next"},
        {"source": "success", "dest": "end", "trigger": "next"},
        {"source": "failure", "dest": "end", "trigger": "next"},
    ]
    conditions = {"was_paid"}
    output_variables = {"receipt"}

    def __init__(self, send_message: callable, credentials: Dict[str, Any] = None):
        self.credentials = credentials
        super().__init__(send_message=send_message)

    def on_enter_send_link(self):
        self.status = Status.WAIT_FOR_ME
        self.variables.reference = self.get_reference_id()
        self.send_message(
            FSMOutput(
                intent=FSMIntent.SEND_MESSAGE,
                message=Message(
                    message_type=MessageType.TEXT,
                    text=TextMessage(
                        body=f"{self.credentials['PAY_URL']}/{self.variables.amount}/{self.variables.purpose}/{self.variables.reference}"
                    ),
                ),
            )
        )
        self.status = Status.MOVE_FORWARD

    def on_enter_await_callback(self):
        self.status = Status.WAIT_FOR_ME
        self.status = Status.WAIT_FOR_CALLBACK

    def on_enter_process_callback(self):
        self.status = Status.WAIT_FOR_ME
        body = json.loads(self.current_callback)
        setattr(self.variables, "receipt", body.get("receipt"))
        self.status = Status.MOVE_FORWARD

    def was_paid(self):
        return self.variables.receipt is not None

    def on_enter_success(self):
        self.status = Status.WAIT_FOR_ME
        self.return_status = PayReturnStatus.SUCCESS
        self.status = Status.MOVE_FORWARD

    def on_enter_failure(self):
        self.status = Status.WAIT_FOR_ME
        self.return_status = self.return_status_values.FAILURE
        self.status = Status.MOVE_FORWARD


class LibraryBotVariables(Variables):
    topic: Optional[str] = None
    copies: Optional[int] = 0
    chunks: Optional[List[str]] = None
    member: Optional[Dict[str, Any]] = Field(default_factory=dict)
    fee: int = 5
    receipt: Optional[str] = None


class LibraryBot(AbstractFSM):
    variable_names = LibraryBotVariables
    states = [
        "zero",
        "select_language",
        "welcome_message_display",
        "topic_display",
        "topic_input",
        "topic_logic",
        "topic_fail_display",
        "media",
        "membership_form",
        "membership_logic",
        "call_rag",
        "rag_result",
        "count_copies",
        "pay",
        "pay_again",
        "thank_you_display",
        "end",
    ]
    transitions = [
        {"source": "zero", "dest": "select_language", "trigger": "next"},
        {"source": "select_language", "dest": "welcome_message_display", "trigger": "next"},
        {"source": "welcome_message_display", "dest": "topic_display", "trigger": "next"},
        {"source": "topic_display", "dest": "topic_input", "trigger": "next"},
        {"source": "topic_input", "dest": "topic_logic", "trigger": "next"},
        {"source": "topic_logic", "dest": "media", "trigger": "next", "conditions": "is_valid_topic"},
        {"source": "topic_logic", "dest": "topic_fail_display", "trigger": "next"},
        {"source": "topic_fail_display", "dest": "topic_display", "trigger": "next"},
        {"source": "media", "dest": "membership_form", "trigger": "next"},
        {"source": "membership_form", "dest": "membership_logic", "trigger": "next"},
        {"source": "membership_logic", "dest": "call_rag", "trigger": "next"},
        {"source": "call_rag", "dest": "rag_result", "trigger": "next"},
        {"source": "rag_result", "dest": "count_copies", "trigger": "next"},
        {"source": "count_copies", "dest": "pay", "trigger": "next"},
        {"source": "pay", "dest": "thank_you_display", "trigger": "next", "conditions": "is_paid"},
        {"source": "pay", "dest": "pay_again", "trigger": "next", "conditions": "is_not_paid"},
        {"source": "pay_again", "dest": "pay", "trigger": "next"},
        {"source": "thank_you_display", "dest": "end", "trigger": "next"},
    ]
    conditions = {"is_valid_topic", "is_paid", "is_not_paid"}
    output_variables = set()

    def __init__(self, send_message: callable, credentials: Dict[str, Any] = None):
        if credentials is None:
            credentials = {}
        self.credentials = {}
        for key in ("PAY_URL", "OPENAI_API_KEY"):
            if credentials.get(key) is None:
                raise ValueError(f"Missing credential: {key}")
            self.credentials[key] = credentials.get(key)
        self.plugins: Dict[str, AbstractFSM] = {
            "pay_plugin": PayPlugin(send_message=send_message, credentials=self.credentials)
        }
        super().__init__(send_message=send_message)

    def on_enter_select_language(self):
        self._on_enter_select_language()

    def on_enter_welcome_message_display(self):
        self._on_enter_display("Welcome to the library.")

    def on_enter_topic_display(self):
        self._on_enter_display(
            "Which topic?",
            options=["Birds", "Trees", "Rivers", "Stars"],
            menu_selector="Topics",
            menu_title="Choose",
        )

    def on_enter_topic_input(self):
        self._on_enter_empty_input()

    def on_enter_topic_logic(self):
        self._on_enter_input_logic(
            write_var="topic",
            options=["Birds", "Trees", "Rivers", "Stars"],
            message="Which topic?",
            validation="topic in ['Birds', 'Trees', 'Rivers', 'Stars']",
        )

    def is_valid_topic(self):
        return self._validate_method("topic", lambda topic: topic in ["Birds", "Trees", "Rivers", "Stars"])

    def on_enter_topic_fail_display(self):
        self._on_enter_display("Invalid topic. Please select a valid topic.")

    def on_enter_media(self):
        self.status = Status.WAIT_FOR_ME

        async def fetch():
            return "https://example.com/a"

        address = asyncio.get_event_loop().run_until_complete(fetch())
        for message in (
            Message(message_type=MessageType.IMAGE, image=ImageMessage(url=f"{address}.png", caption="A picture")),
            Message(
                message_type=MessageType.DOCUMENT,
                document=DocumentMessage(url=f"{address}.pdf", name="a.pdf", caption="A document"),
            ),
            Message(message_type=MessageType.AUDIO, audio=AudioMessage(media_url=f"{address}.ogg")),
            Message(
                message_type=MessageType.BUTTON,
                button=ButtonMessage(
                    header="H", body="Go on?", footer="F", options=[Option(option_id="yes", option_text="Yes")]
                ),
            ),
            Message(
                message_type=MessageType.OPTION_LIST,
                option_list=ListMessage(
                    header="H",
                    body="More",
                    footer="F",
                    button_text="Open",
                    list_title="Items",
                    options=[Option(option_id=str(i), option_text=f"Item {i}") for i in range(4)],
                ),
            ),
        ):
            self.send_message(FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=message))
        self.status = Status.MOVE_FORWARD

    def on_enter_membership_form(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(
            FSMOutput(
                intent=FSMIntent.SEND_MESSAGE,
                message=Message(
                    message_type=MessageType.FORM,
                    form=FormMessage(header="Join", body="Fill in", footer="-", form_id="f-1"),
                ),
            )
        )
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_membership_logic(self):
        self.status = Status.WAIT_FOR_ME
        self.variables.member = json.loads(self.current_input)
        self.status = Status.MOVE_FORWARD

    def on_enter_call_rag(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(
            FSMOutput(
                intent=FSMIntent.RAG_CALL,
                rag_query=RAGQuery(
                    type="default",
                    collection_name="books",
                    query=self.variables.topic,
                    top_chunk_k_value=2,
                    do_hybrid_search=False,
                ),
            )
        )
        self.status = Status.WAIT_FOR_CALLBACK

    def on_enter_rag_result(self):
        self.status = Status.WAIT_FOR_ME
        self.variables.chunks = [json.loads(row)["chunk"] for row in json.loads(self.current_callback)]
        self._on_enter_display("\n".join(self.variables.chunks))

    def on_enter_count_copies(self):
        self._on_enter_assign("copies", lambda copies: copies + len(self.variables.chunks))

    def on_enter_pay(self):
        self._on_enter_plugin(
            plugin="pay_plugin",
            input_variables={"amount": "fee", "purpose": "membership"},
            output_variables={"receipt": "receipt"},
            message="Please pay the fee.",
        )

    def is_paid(self):
        return self._plugin_error_code_validation(PayReturnStatus.SUCCESS)

    def is_not_paid(self):
        return self._plugin_error_code_validation(PayReturnStatus.FAILURE)

    def on_enter_pay_again(self):
        self._on_enter_display("That did not work.")

    def on_enter_thank_you_display(self):
        self._on_enter_display(f"Thank you {self.variables.member['name']}: {self.variables.receipt}")
