// One conversation with one bot: sends, follows, and says what state it is in.

import { botPath, call, post, randomId } from "/console/api.js";
import { $, element } from "/console/dom.js";
import { follow } from "/console/events.js";
import { Transcript } from "/console/transcript.js";

const REMEMBERED = "botyard.said.";
const LINKS = { live: "connected", lost: "connection lost, trying again…" };

export class Chat {
  #bot;
  #onProblem;
  #conversation = "";
  #persona; // Whom the first message of a new conversation is for; of a loop bot with several.
  #following = new AbortController();
  #transcript;
  #open = new Map(); // Turns without an end, by their id; null while the gateway has not answered.
  #finished = new Set(); // Turns that ended, perhaps before the gateway's answer to their message was read.
  #told = new Set(); // Turns whose message is shown.
  #sending = Promise.resolve();

  constructor(bot, conversation, onProblem, persona = "") {
    this.#bot = bot;
    this.#persona = persona || (bot.model === "loop" && bot.personas.length > 1 ? bot.personas[0] : "");
    this.#onProblem = onProblem;
    this.#transcript = new Transcript($("log"), (option) => this.choose(option), (...decision) => this.#confirm(...decision));
    const who = conversation ? conversation.split("~").slice(0, -1).join("~") : this.#persona;
    $("bot-name").textContent = `${bot.namespace}/${bot.name}${who ? ` · ${who}` : ""}`;
    setLink("");
    this.#tellBusy();
    if (conversation) this.#join(conversation);
  }

  get conversation() {
    return this.#conversation;
  }

  close() {
    this.#following.abort();
  }

  say(text) {
    this.#submit({ text }, text);
  }

  choose(option) {
    this.#submit({ options: [option] }, option.title || option.id);
  }

  async cancel() {
    const turns = [...this.#open.values()].filter((turn) => turn);
    const base = `${botPath(this.#bot)}/conversations/${encodeURIComponent(this.#conversation)}/turns/`;
    for (const turn of turns) {
      await call(`${base}${encodeURIComponent(turn)}/cancel`, { method: "POST" }).catch((error) => {
        // It ended by itself meanwhile: nothing is left to stop.
        if (error.status !== 409) this.#onProblem(error);
      });
    }
  }

  async #confirm(id, allow, reason) {
    const persona = this.#conversation.split("~")[0];
    const path = `${botPath(this.#bot)}/personas/${encodeURIComponent(persona)}/calls/${encodeURIComponent(id)}/confirm`;
    try {
      await post(path, { allow, reason });
    } catch (error) {
      this.#transcript.note(error.message);
      this.#onProblem(error);
    }
  }

  #submit(message, shown) {
    const item = this.#transcript.user(shown);
    // The id makes sending again harmless: what was accepted already is answered as before.
    this.#attempt({ ...message, id: randomId() }, shown, item);
  }

  #attempt(message, shown, item) {
    const state = item.querySelector(".state");
    item.className = "user sending";
    state.textContent = "sending…";
    this.#open.set(message.id, null);
    this.#tellBusy();
    // One after the other: the first message begins the conversation that the next one belongs to.
    this.#sending = this.#sending.then(async () => {
      try {
        const begun = this.#persona ? { ...message, persona: this.#persona } : message;
        const body = this.#conversation ? { ...message, conversation: this.#conversation } : begun;
        const accepted = await (await post(`${botPath(this.#bot)}/messages`, body)).json();
        if (this.#following.signal.aborted) return;
        item.className = "user";
        state.textContent = "";
        this.#told.add(accepted.turn);
        remember(accepted.conversation, accepted.turn, shown);
        this.#open.set(message.id, accepted.turn);
        if (!this.#conversation) this.#join(accepted.conversation);
      } catch (error) {
        if (this.#following.signal.aborted) return;
        this.#open.delete(message.id);
        item.className = "user failed";
        const again = element("button", { type: "button", class: "quiet small", text: "Send again" });
        again.addEventListener("click", () => this.#attempt(message, shown, item));
        const reason = error instanceof TypeError ? "The gateway cannot be reached." : error.message;
        state.replaceChildren(element("span", { text: reason }), again);
        this.#onProblem(error);
      }
      this.#tellBusy();
    });
  }

  #join(conversation) {
    this.#conversation = conversation;
    history.replaceState(null, "", `#/${this.#bot.namespace}/${this.#bot.name}/${conversation}`);
    const { signal } = this.#following;
    const path = `${botPath(this.#bot)}/conversations/${encodeURIComponent(conversation)}/events`;
    const said = remembered(conversation);
    follow(path, {
      signal,
      onEvent: (type, envelope) => this.#take(type, envelope, said),
      onState: (state) => {
        if (signal.aborted) return;
        if (state === "expired") this.#transcript.note("Some of what was said is no longer kept.");
        else setLink(state);
      },
    }).catch((error) => {
      if (signal.aborted) return;
      setLink("");
      this.#transcript.note(error.message);
      this.#onProblem(error);
    });
  }

  #take(type, envelope, said) {
    if (this.#following.signal.aborted) return;
    const turn = envelope.conversation?.turn_id || "";
    // After a reload: what this tab said stands before the first answer to it.
    if (!this.#told.has(turn)) {
      this.#told.add(turn);
      if (said[turn] && ![...this.#open.values()].includes(turn)) this.#transcript.user(said[turn]);
    }
    this.#transcript.show(type, envelope);
    if (type === "chat.complete") {
      for (const [id, open] of this.#open) if (open === turn) this.#open.delete(id);
      this.#finished.add(turn);
    }
    this.#tellBusy();
  }

  #tellBusy() {
    for (const [id, turn] of this.#open) if (turn && this.#finished.has(turn)) this.#open.delete(id);
    const accepted = [...this.#open.values()].filter((turn) => turn).length;
    $("busy").hidden = accepted === 0;
    if (accepted === 0) return;
    const waiting = accepted > 1 ? ` (${accepted - 1} more waiting)` : "";
    $("busy-text").textContent = `${this.#bot.name} is answering${waiting}`;
    const scroll = $("scroll");
    if (scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 160) scroll.scrollTop = scroll.scrollHeight;
  }
}

function setLink(state) {
  $("link").className = `chip ${state}`;
  $("link").textContent = LINKS[state] || "";
}

function remember(conversation, turn, text) {
  const said = remembered(conversation);
  said[turn] = text;
  try {
    sessionStorage.setItem(REMEMBERED + conversation, JSON.stringify(said));
  } catch {
    // Full: after a reload the bot's part alone is shown.
  }
}

function remembered(conversation) {
  try {
    return JSON.parse(sessionStorage.getItem(REMEMBERED + conversation)) || {};
  } catch {
    return {};
  }
}
