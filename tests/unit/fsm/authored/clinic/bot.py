# ruff: noqa - written as bot authors write: the 0.1 dialect, with its annotations and names
import json
import os
import tempfile
from typing import Any, Dict, Type

from jb_manager_bot import (
    AbstractFSM,
    FSMOutput,
    MessageData,
    MessageType,
    OptionsListType,
    Status,
    UploadFile,
)
from jb_manager_bot.parsers import OptionParser
from jb_manager_bot.parsers.utils import LLMManager


class PaymentFSM(AbstractFSM):
    states = ["zero", "plugin_start", "collect_payment", "check_payment", "paid", "unpaid", "end"]
    transitions = [
        {"source": "zero", "dest": "plugin_start", "trigger": "next"},
        {"source": "plugin_start", "dest": "collect_payment", "trigger": "next"},
        {"source": "collect_payment", "dest": "check_payment", "trigger": "next"},
        {"source": "check_payment", "dest": "paid", "trigger": "next", "conditions": "is_paid"},
        {"source": "check_payment", "dest": "unpaid", "trigger": "next", "conditions": "is_not_paid"},
        {"source": "paid", "dest": "end", "trigger": "next"},
        {"source": "unpaid", "dest": "end", "trigger": "next"},
    ]
    conditions = {"is_paid", "is_not_paid"}
    output_variables = {"TRANSACTION_ID", "ERROR_CODE"}

    def __init__(self, send_message: callable, credentials: Dict[str, Any] = None):
        self.credentials = credentials
        self.variables = {"AMOUNT": 0, "TRANSACTION_ID": "", "ERROR_CODE": 0}
        super().__init__(send_message=send_message)

    def on_enter_plugin_start(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(
            FSMOutput(
                message_data=MessageData(body=f"Please pay {self.variables['AMOUNT']} rupees"),
                type=MessageType.TEXT,
                dest="out",
                plugin_uuid="jbkey0f8fad5b-d9cb-469f-a165-7jbkey",
            )
        )
        self.status = Status.MOVE_FORWARD

    def on_enter_collect_payment(self):
        self.status = Status.WAIT_FOR_ME
        self.status = Status.WAIT_FOR_CALLBACK

    def on_enter_check_payment(self):
        self.status = Status.WAIT_FOR_ME
        details = json.loads(self.current_callback)
        self.variables["TRANSACTION_ID"] = details.get("id", "")
        self.status = Status.MOVE_FORWARD

    def is_paid(self):
        return self.variables["TRANSACTION_ID"] != ""

    def is_not_paid(self):
        return not self.is_paid()

    def on_enter_paid(self):
        self.status = Status.WAIT_FOR_ME
        self.variables["ERROR_CODE"] = 200
        self.status = Status.MOVE_FORWARD

    def on_enter_unpaid(self):
        self.status = Status.WAIT_FOR_ME
        self.variables["ERROR_CODE"] = 500
        self.status = Status.MOVE_FORWARD


class ClinicBot(AbstractFSM):
    states = [
        "zero",
        "language_selection",
        "welcome",
        "choose_service",
        "service_choice",
        "payment",
        "payment_failed",
        "form",
        "form_data",
        "ask_report",
        "report",
        "question",
        "answer",
        "search",
        "search_result",
        "end",
    ]
    transitions = [
        {"source": "zero", "dest": "language_selection", "trigger": "next"},
        {"source": "language_selection", "dest": "welcome", "trigger": "next"},
        {"source": "welcome", "dest": "choose_service", "trigger": "next"},
        {"source": "choose_service", "dest": "service_choice", "trigger": "next"},
        {"source": "service_choice", "dest": "payment", "trigger": "next", "conditions": "wants_visit"},
        {"source": "service_choice", "dest": "ask_report", "trigger": "next", "conditions": "wants_report"},
        {"source": "service_choice", "dest": "question", "trigger": "next", "conditions": "wants_question"},
        {"source": "service_choice", "dest": "choose_service", "trigger": "next"},
        {"source": "payment", "dest": "form", "trigger": "next", "conditions": "payment_done"},
        {"source": "payment", "dest": "payment_failed", "trigger": "next"},
        {"source": "payment_failed", "dest": "end", "trigger": "next"},
        {"source": "form", "dest": "form_data", "trigger": "next"},
        {"source": "form_data", "dest": "end", "trigger": "next"},
        {"source": "ask_report", "dest": "report", "trigger": "next"},
        {"source": "report", "dest": "end", "trigger": "next"},
        {"source": "question", "dest": "answer", "trigger": "next"},
        {"source": "answer", "dest": "search", "trigger": "next"},
        {"source": "search", "dest": "search_result", "trigger": "next"},
        {"source": "search_result", "dest": "end", "trigger": "next"},
    ]
    conditions = {"wants_visit", "wants_report", "wants_question", "payment_done"}
    output_variables = set()

    def __init__(self, send_message: callable, credentials: Dict[str, Any] = None):
        if credentials is None:
            credentials = {}
        self.credentials = {}
        if not credentials.get("AZURE_OPENAI_API_KEY"):
            raise ValueError("Missing credential: AZURE_OPENAI_API_KEY")
        self.credentials["AZURE_OPENAI_API_KEY"] = credentials.get("AZURE_OPENAI_API_KEY")
        if not credentials.get("FAST_MODEL"):
            raise ValueError("Missing credential: FAST_MODEL")
        self.credentials["FAST_MODEL"] = credentials.get("FAST_MODEL")

        self.plugins: Dict[str, AbstractFSM] = {
            "PAYMENT": PaymentFSM(send_message=send_message, credentials=credentials),
        }
        self.variables = {}
        super().__init__(send_message=send_message)

    def on_enter_language_selection(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(
            FSMOutput(
                message_data=MessageData(body="Please select your preferred language.\nबंधु से संपर्क करने के लिए धन्यवाद!"),
                type=MessageType.INTERACTIVE,
                options_list=None,
                dialog="language",
                dest="channel",
                menu_selector="भाषा / Language",
                menu_title="भाषा चुनें / Select Language",
            )
        )
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_welcome(self):
        self.status = Status.WAIT_FOR_ME
        print("welcoming", self.current_input)
        self.send_message(
            FSMOutput(
                message_data=MessageData(header="Clinic", body="Welcome to the clinic!", footer="we care"),
                type=MessageType.TEXT,
                dest="out",
            )
        )
        self.status = Status.MOVE_FORWARD

    def on_enter_choose_service(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(
            FSMOutput(
                message_data=MessageData(body="What would you like to do?"),
                type=MessageType.INTERACTIVE,
                options_list=[
                    OptionsListType(id="1", title="Visit"),
                    OptionsListType(id="2", title="Report"),
                    OptionsListType(id="3", title="Question"),
                ],
                menu_selector="Menu",
                menu_title="Services",
                dest="out",
            )
        )
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_service_choice(self):
        self.status = Status.WAIT_FOR_ME
        choice = self.current_input
        try:
            self.variables["service"] = json.loads(choice)[0]["option_id"]
        except Exception:
            self.variables["service"] = OptionParser.parse(
                "The user chooses a service.",
                [
                    OptionsListType(id="1", title="Visit"),
                    OptionsListType(id="2", title="Report"),
                    OptionsListType(id="3", title="Question"),
                ],
                choice,
                azure_endpoint=self.credentials.get("AZURE_OPENAI_API_ENDPOINT"),
                azure_openai_api_key=self.credentials["AZURE_OPENAI_API_KEY"],
                azure_openai_api_version="2024-02-01",
                model=self.credentials["FAST_MODEL"],
            )
        self.status = Status.MOVE_FORWARD

    def wants_visit(self):
        return self.variables["service"] == "1"

    def wants_report(self):
        return self.variables["service"] == "2"

    def wants_question(self):
        return self.variables["service"] == "3"

    def on_enter_payment(self):
        self.status = Status.WAIT_FOR_ME
        plugin_result = self.run_plugin("PAYMENT", AMOUNT=100)
        if plugin_result == self.RUN_TOKEN:
            self.status = Status.WAIT_FOR_PLUGIN
        else:
            for key, value in plugin_result.items():
                self.variables[key] = value
            self.status = Status.MOVE_FORWARD

    def payment_done(self):
        return self.variables["ERROR_CODE"] == 200

    def on_enter_payment_failed(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(FSMOutput(message_data=MessageData(body="Payment failed"), type=MessageType.TEXT, dest="out"))
        self.status = Status.MOVE_FORWARD

    def on_enter_form(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(
            FSMOutput(
                message_data=MessageData(header="Details", body="Please fill in the form", footer="thanks"),
                type=MessageType.FORM,
                whatsapp_flow_id="724",
                whatsapp_screen_id="FIRST",
                form_token="tok",
                dest="channel",
            )
        )
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_form_data(self):
        self.status = Status.WAIT_FOR_ME
        data = json.loads(self.current_input)
        self.send_message(
            FSMOutput(message_data=MessageData(body=f"Booked for {data['name']}"), type=MessageType.TEXT, dest="out")
        )
        self.status = Status.MOVE_FORWARD

    def on_enter_ask_report(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(FSMOutput(message_data=MessageData(body="Send it"), type=MessageType.TEXT, dest="out"))
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_report(self):
        self.status = Status.WAIT_FOR_ME
        file_bytes = self.current_input
        path = os.path.join(tempfile.mkdtemp(), "report.txt")
        with open(path, "wb") as f:
            f.write(file_bytes)
        self.send_message(
            FSMOutput(
                message_data=MessageData(body="Thanks for sharing the file."),
                type=MessageType.DOCUMENT,
                file=UploadFile(path=path, mime_type="text/plain", filename="report.txt"),
                dest="out",
            )
        )
        self.status = Status.MOVE_FORWARD

    def on_enter_question(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(FSMOutput(message_data=MessageData(body="Ask"), type=MessageType.TEXT, dest="out"))
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_answer(self):
        self.status = Status.WAIT_FOR_ME
        self.variables["query"] = self.current_input
        self.status = Status.MOVE_FORWARD

    def on_enter_search(self):
        self.status = Status.WAIT_FOR_ME
        self.send_message(
            FSMOutput(type=MessageType.TEXT, message_data=MessageData(body=self.variables["query"]), dest="rag")
        )
        self.status = Status.WAIT_FOR_USER_INPUT

    def on_enter_search_result(self):
        self.status = Status.WAIT_FOR_ME
        chunks = json.loads(self.current_input)["chunks"]
        knowledge = "\n".join(chunk["chunk"] for chunk in chunks)
        self.send_message(FSMOutput(message_data=MessageData(body=knowledge), type=MessageType.TEXT, dest="out"))
        self.status = Status.MOVE_FORWARD
