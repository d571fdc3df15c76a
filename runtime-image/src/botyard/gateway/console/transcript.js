// What a conversation looks like. All text is set as text: nothing that a bot or a user writes becomes markup.

import { element } from "/console/dom.js";

// docs/http-api.md and docs/fsm.md describe the events.
export class Transcript {
  #log;
  #choose;
  #confirm;
  #turns = new Map();
  #aside = new Set(); // Turns that were put aside.

  // choose(option) is called when a button of a bot's message is pressed, confirm(call, allow, reason) when a person
  // decides on a call of a tool.
  constructor(log, choose, confirm) {
    this.#log = log;
    this.#choose = choose;
    this.#confirm = confirm;
    log.replaceChildren();
  }

  user(text) {
    const item = element("li", { class: "user" }, element("div", { class: "bubble", text }), element("div", { class: "state" }));
    this.#add(item);
    return item;
  }

  note(text) {
    this.#add(element("li", { class: "note", text }));
  }

  show(type, envelope) {
    const turn = envelope.conversation?.turn_id || "";
    const data = envelope.data || {};
    switch (type) {
      case "bot.message":
        return this.#bot(turn, this.#message(data));
      case "thread.message":
        if (data.role === "tool") this.#decided(data.call_id);
        if (data.role !== "assistant" || typeof data.content !== "string" || !data.content) return;
        return this.#bot(turn, element("div", { class: "bubble", text: data.content }));
      case "thread.confirmation":
        return this.#bot(turn, this.#decision(data));
      case "thread.error":
        return this.#bot(turn, element("div", { class: "bubble", text: data.message || "The model gave no answer." }), "error");
      case "bot.language_change":
        return this.#bot(turn, element("div", { class: "bubble", text: data.text || "Which language?" }));
      case "bot.conversation_reset":
        return this.note("The bot starts over.");
      case "fsm.session_reset":
        return this.note("The bot has changed and cannot go on from here: it starts over.");
      case "fsm.input_ignored":
        return this.note("The bot waits for something else: this message changes nothing.");
      case "chat.error":
        if (data.kind === "TurnCancelled") return this.note("Stopped.");
        return this.#bot(turn, element("div", { class: "bubble", text: data.message || "The bot failed." }), "error");
      case "turn.restarted":
        for (const item of this.#turns.get(turn) || []) item.classList.add("void");
        this.#turns.delete(turn);
        if (this.#aside.delete(turn)) return this.note("The bot goes on.");
        return this.note(`Interrupted: the bot begins its answer again (attempt ${envelope.attempt}).`);
      case "turn.parked":
        this.#aside.add(turn);
        return this.note(`Put aside: ${data.reason}.${data.until ? ` It goes on at ${moment(data.until)} at the latest.` : ""}`);
      case "budget.warning":
        return this.note(`${data.message} coins.`);
      case "chat.complete":
        this.#turns.delete(turn);
        this.#aside.delete(turn);
        if (data.ended) this.note("The conversation has come to its end. The next message begins it anew.");
    }
  }

  #message(data) {
    const bubble = element("div", { class: "bubble" });
    if (data.header) bubble.append(element("span", { class: "heading", text: data.header }));
    if (data.text) bubble.append(data.text);
    const media = data.media && mediaOf(data.media, data.text || data.kind);
    if (media) bubble.append(media);
    if (data.form) bubble.append(element("span", { class: "footing", text: `Form ${data.form.id || ""}` }));
    if (data.dialog) bubble.append(element("span", { class: "footing", text: `Dialog ${data.dialog.id || ""}` }));
    if (data.footer) bubble.append(element("span", { class: "footing", text: data.footer }));
    if (!bubble.childNodes.length) bubble.append(`(${data.kind || "message"})`);
    const parts = new DocumentFragment();
    parts.append(bubble);
    if (Array.isArray(data.options) && data.options.length) parts.append(this.#options(data));
    return parts;
  }

  #decision(data) {
    const bubble = element("div", { class: "bubble" });
    bubble.append(element("span", { class: "heading", text: `${data.tool}: ${data.command || data.arguments || ""}` }));
    if (data.explanation) bubble.append(data.explanation);
    const row = element("div", { class: "options decision", role: "group", "data-call": data.call });
    row.setAttribute("aria-label", `Decide on ${data.tool}`);
    const reason = element("input", { type: "text", maxlength: "500", placeholder: "Why not (optional)", "aria-label": "Reason" });
    for (const [text, allow] of [["Allow", true], ["Reject", false]]) {
      const button = element("button", { type: "button", text });
      button.addEventListener("click", () => {
        this.#decided(data.call);
        button.setAttribute("aria-pressed", "true");
        this.#confirm(data.call, allow, allow ? "" : reason.value.trim());
      });
      row.append(button);
    }
    row.append(reason);
    const parts = new DocumentFragment();
    parts.append(bubble, row);
    return parts;
  }

  #decided(call) {
    for (const row of this.#log.querySelectorAll(".decision")) {
      if (row.dataset.call === call) for (const each of row.children) each.disabled = true;
    }
  }

  #options(data) {
    const row = element("div", { class: "options", role: "group" });
    row.setAttribute("aria-label", data.menu?.title || "Options");
    for (const option of data.options) {
      const button = element("button", { type: "button", text: option.title || option.id });
      button.addEventListener("click", () => {
        for (const each of row.children) each.disabled = true;
        button.setAttribute("aria-pressed", "true");
        this.#choose({ id: option.id, title: option.title || "" });
      });
      row.append(button);
    }
    return row;
  }

  #bot(turn, content, kind = "") {
    // Only the newest question can be answered by its buttons; calls that wait for a decision may be several.
    for (const button of this.#log.querySelectorAll(".options:not(.decision) button")) button.disabled = true;
    const item = element("li", { class: `bot ${kind}` });
    item.append(content);
    if (!this.#turns.has(turn)) this.#turns.set(turn, []);
    this.#turns.get(turn).push(item);
    this.#add(item);
  }

  #add(item) {
    const scroll = this.#log.parentElement;
    const atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
    this.#log.append(item);
    // Whoever reads further up is not torn away; what one says oneself is always seen.
    if (atEnd || item.classList.contains("user")) scroll.scrollTop = scroll.scrollHeight;
  }
}

const moment = (milliseconds) => new Date(milliseconds).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

function mediaOf(media, alt) {
  if (media.content && /^image\/(png|jpeg|gif|webp)$/.test(media.mime_type || "")) {
    return element("img", { src: `data:${media.mime_type};base64,${media.content}`, alt });
  }
  if (media.content && /^audio\/(mpeg|ogg|wav)$/.test(media.mime_type || "")) {
    return element("audio", { controls: "", src: `data:${media.mime_type};base64,${media.content}`, "aria-label": alt });
  }
  if (!/^https?:\/\//i.test(media.url || "")) return element("span", { class: "footing", text: media.name || "File" });
  const link = element("a", { href: media.url, text: media.name || media.url, target: "_blank", rel: "noopener noreferrer" });
  return element("div", {}, link);
}
