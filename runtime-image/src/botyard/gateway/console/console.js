import { call, follow } from "/console/events.js";

const $ = (id) => document.getElementById(id);
const TOKEN = "botyard.token";
let bot = null;
let conversation = null;
let stream = null;

const token = () => sessionStorage.getItem(TOKEN) || "";
const base = () => `/v1/namespaces/${encodeURIComponent(bot.namespace)}/bots/${encodeURIComponent(bot.name)}`;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

async function listBots() {
  $("bots").replaceChildren();
  $("bots-note").textContent = "Loading…";
  try {
    const { bots } = await (await call("/v1/bots", { token: token() })).json();
    $("bots-note").textContent = bots.length ? "" : "No bots that you may use.";
    for (const each of bots) {
      const button = element("button");
      button.append(element("span", `${each.namespace}/${each.name}`));
      button.append(element("small", each.ready ? `ready · ${each.model}` : each.message || "not ready"));
      button.addEventListener("click", () => choose(each, button));
      const item = element("li");
      item.append(button);
      $("bots").append(item);
    }
  } catch (error) {
    $("bots-note").textContent = error.message;
  }
}

function choose(chosen, button) {
  for (const other of $("bots").querySelectorAll("button")) other.setAttribute("aria-current", other === button);
  bot = chosen;
  $("bot-name").textContent = `${bot.namespace}/${bot.name}`;
  $("chat").hidden = false;
  restart();
}

function restart() {
  stream?.abort();
  stream = null;
  conversation = null;
  $("log").replaceChildren();
  $("link").textContent = "";
  $("problem").textContent = "";
  $("text").focus();
}

function say(who, text) {
  const item = element("li", text, who);
  $("log").append(item);
  item.scrollIntoView({ block: "end" });
  return item;
}

// What a bot says: docs/fsm.md describes the data of bot.message.
function show(type, envelope) {
  const data = envelope.data || {};
  if (type === "bot.message") {
    const item = say("bot", textOf(data));
    if (data.options?.length) item.append(buttons(data.options));
    if (/^https?:/.test(data.media?.url || "")) item.append(link(data.media));
  } else if (type === "chat.error") {
    say("bot error", data.message || envelope.event?.title || "The bot failed.");
  } else if (type === "turn.restarted") {
    say("bot meta", "The turn began again after an interruption.");
  }
}

function textOf(data) {
  return [data.header, data.text, data.footer].filter((part) => part).join("\n");
}

function link(media) {
  const made = element("a", media.name || media.url);
  made.href = media.url;
  made.rel = "noopener noreferrer";
  made.target = "_blank";
  return made;
}

function buttons(options) {
  const row = element("div", undefined, "options");
  for (const option of options) {
    const button = element("button", option.title || option.id);
    button.type = "button";
    button.addEventListener("click", () => send({ options: [{ id: option.id, title: option.title || "" }] }, option.title || option.id));
    row.append(button);
  }
  return row;
}

async function send(message, shown) {
  $("problem").textContent = "";
  say("user", shown);
  const body = { ...message, id: crypto.randomUUID() };
  if (conversation) body.conversation = conversation;
  try {
    const response = await call(`${base()}/messages`, {
      token: token(),
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const accepted = await response.json();
    if (conversation !== accepted.conversation) {
      conversation = accepted.conversation;
      listen();
    }
  } catch (error) {
    $("problem").textContent = error.message;
  }
}

function listen() {
  stream?.abort();
  stream = new AbortController();
  const { signal } = stream;
  follow(`${base()}/conversations/${encodeURIComponent(conversation)}/events`, {
    token: token(),
    signal,
    onEvent: show,
    onState: (state) => { if (!signal.aborted) $("link").textContent = state; },
  }).catch((error) => { if (!signal.aborted) $("problem").textContent = error.message; });
}

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, $("token").value.trim());
  $("token").value = "";
  listBots();
});
$("forget").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  restart();
  $("chat").hidden = true;
  listBots();
});
$("restart").addEventListener("click", restart);
$("message-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  send({ text }, text);
});
listBots();
