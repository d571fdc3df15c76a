// Threads of a loop bot's Personas: found by words, opened, begun, called something else, put into the archive.

import { botPath, call } from "/console/api.js";
import { $, element } from "/console/dom.js";

const REFRESH = 2000;
const MOST_READ = 1000;
const MOST_SHOWN = 50;

export class ThreadsView {
  #bot = null;
  #open; // Opens a conversation, or begins one with a Persona.
  #timer = 0;
  #asked = 0; // Answers of earlier questions are not shown.
  #drawn = "";

  constructor(open) {
    this.#open = open;
    $("threads").addEventListener("click", () => this.#show());
    $("threads-close").addEventListener("click", () => $("threads-dialog").close());
    $("threads-dialog").addEventListener("close", () => clearTimeout(this.#timer));
    $("threads-form").addEventListener("submit", (event) => event.preventDefault());
    $("threads-form").addEventListener("input", () => this.#again());
    $("threads-new").addEventListener("click", () => this.#leave("", $("threads-persona").value));
  }

  // Looks at a bot from now on, or at none.
  watch(bot) {
    this.#bot = bot;
    $("threads").hidden = bot?.model !== "loop";
    $("threads-dialog").close();
  }

  #show() {
    $("threads-title").textContent = `Threads of ${this.#bot.namespace}/${this.#bot.name}`;
    $("threads-persona").replaceChildren(...this.#bot.personas.map((name) => element("option", { text: name })));
    $("threads-search").value = "";
    $("threads-archived").checked = false;
    $("threads-list").replaceChildren();
    this.#drawn = "";
    $("threads-dialog").showModal();
    this.#again();
  }

  async #again() {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    const query = new URLSearchParams({
      search: $("threads-search").value, archived: $("threads-archived").checked, limit: MOST_READ,
    });
    try {
      const answer = await (await call(`${this.#path()}?${query}`)).json();
      if (asked === this.#asked) this.#draw(answer.threads);
    } catch (error) {
      if (asked === this.#asked) $("threads-note").textContent = error.status ? error.message : "The gateway cannot be reached.";
    }
    if (asked === this.#asked && $("threads-dialog").open) this.#timer = setTimeout(() => this.#again(), REFRESH);
  }

  #draw(threads) {
    const newest = threads.toSorted((one, other) => other.updated - one.updated).slice(0, MOST_SHOWN);
    const note = threads.length > MOST_SHOWN ? `${MOST_SHOWN} of ${threads.length} are shown; search for others.` : "";
    $("threads-note").textContent = threads.length ? note : "There is no such thread.";
    const state = JSON.stringify(newest.map(({ id, title, archived, confirmations }) => [id, title, archived, confirmations.length]));
    // Whoever gives a thread another name is not interrupted.
    if (state === this.#drawn || $("threads-list").querySelector("input")) return;
    this.#drawn = state;
    $("threads-list").replaceChildren(...newest.map((thread) => this.#item(thread)));
  }

  #item(thread) {
    const name = thread.title || thread.id;
    const open = element("button", { type: "button", class: "quiet name", text: name });
    open.addEventListener("click", () => this.#leave(thread.conversation));
    const rename = element("button", { type: "button", class: "quiet small", text: "Rename", "aria-label": `Rename ${name}` });
    const word = thread.archived ? "Restore" : "Archive";
    const archive = element("button", { type: "button", class: "quiet small", text: word, "aria-label": `${word} ${name}` });
    archive.addEventListener("click", () => this.#change(thread, { archived: !thread.archived }));
    const waits = thread.confirmations.length ? element("small", { class: "mark", text: "waits for you" }) : "";
    const item = element("li", { class: "row" }, open, waits, element("span", { class: "grow" }), rename, archive);
    rename.addEventListener("click", () => {
      const title = element("input", { type: "text", maxlength: "120", "aria-label": `Title of ${name}` });
      title.value = thread.title;
      const done = (change) => {
        title.remove();
        item.prepend(open);
        if (change && title.value.trim()) this.#change(thread, { title: title.value.trim() });
      };
      title.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== "Escape") return;
        event.preventDefault();
        done(event.key === "Enter");
      });
      open.replaceWith(title);
      title.focus();
    });
    return item;
  }

  async #change(thread, change) {
    try {
      await call(`${this.#path()}/${encodeURIComponent(thread.id)}`, {
        method: "PATCH", headers: { "Content-Type": "application/json" }, body: JSON.stringify(change),
      });
    } catch (error) {
      $("threads-note").textContent = error.message;
      return;
    }
    this.#again();
  }

  #leave(conversation, persona = "") {
    $("threads-dialog").close();
    this.#open(this.#bot, conversation, persona);
  }

  #path() {
    return `${botPath(this.#bot)}/personas/${encodeURIComponent($("threads-persona").value)}/threads`;
  }
}
