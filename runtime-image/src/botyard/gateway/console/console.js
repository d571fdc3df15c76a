// The page: which bots there are, who is signed in, which conversation is open.

import { call, token } from "/console/api.js";
import { BudgetView } from "/console/budget.js";
import { Chat } from "/console/chat.js";
import { $, element } from "/console/dom.js";
import { ThreadsView } from "/console/threads.js";

const REFRESH = 5000;
let bots = [];
let chosen = null;
let chat = null;
const budget = new BudgetView();
const threads = new ThreadsView((...which) => open(...which));

async function refresh() {
  try {
    bots = (await (await call("/v1/bots")).json()).bots;
    $("sign-in").hidden = true;
    $("bots-note").textContent = bots.length ? "" : "There are no bots that you may use.";
  } catch (error) {
    problem(error);
    if (error.status) {
      bots = [];
      $("bots-note").textContent = error.status === 401 ? "Sign in to see your bots." : error.message;
    } else $("bots-note").textContent = "The gateway cannot be reached.";
  }
  drawBots();
  drawChosen();
}

let drawn = "";

function drawBots() {
  const state = JSON.stringify([bots, chosen]);
  if (state === drawn) return;
  drawn = state;
  const focused = document.activeElement?.dataset?.bot;
  $("bots").replaceChildren(...bots.map((bot) => {
    const name = `${bot.namespace}/${bot.name}`;
    const about = bot.ready ? bot.model : bot.message || "not ready";
    const button = element("button", { type: "button", "data-bot": name },
      element("span", { class: bot.ready ? "dot" : "dot off", role: "img", "aria-label": bot.ready ? "ready" : "not ready" }),
      element("span", { class: "name", text: name }),
      element("small", { text: about, title: about }));
    button.setAttribute("aria-current", String(same(bot, chosen)));
    button.addEventListener("click", () => open(bot));
    return element("li", {}, button);
  }));
  if (focused) document.querySelector(`[data-bot="${CSS.escape(focused)}"]`)?.focus();
}

const same = (one, other) => one?.namespace === other?.namespace && one?.name === other?.name;

function open(bot, conversation = "", persona = "") {
  chosen = bot;
  chat?.close();
  if (!conversation) history.replaceState(null, "", `#/${bot.namespace}/${bot.name}`);
  $("empty").hidden = true;
  $("chat").hidden = false;
  show(false);
  chat = new Chat(bot, conversation, problem, persona);
  budget.watch(bot);
  threads.watch(bot);
  drawBots();
  drawChosen();
  $("text").focus();
}

function drawChosen() {
  if (!chosen) return;
  const bot = bots.find((each) => same(each, chosen));
  const ready = bot?.ready ?? false;
  $("notice").hidden = ready || !bot;
  if (bot && !ready) {
    $("notice").textContent = `${bot.name} is not ready: ${bot.message || bot.reason || "no reason is given"}`;
  }
  $("send").disabled = !ready;
}

function problem(error) {
  $("sign-out").hidden = !token.get();
  if (error.status !== 401) return;
  $("sign-in").hidden = false;
  $("token-why").textContent = token.get() ? error.message : "This gateway wants to know who you are.";
  if (!$("token-dialog").open) $("token-dialog").showModal();
}

function show(choosing) {
  document.body.classList.toggle("choosing", choosing);
  $("menu").setAttribute("aria-expanded", String(choosing));
}

function signed(value) {
  token.set(value);
  $("sign-out").hidden = !value;
  chat?.close();
  chat = null;
  chosen = null;
  budget.watch(null);
  threads.watch(null);
  $("chat").hidden = true;
  $("empty").hidden = false;
  return start();
}

async function start() {
  await refresh();
  // #/namespace/bot/conversation: a reload, or an address that somebody was given.
  const [, namespace, name, conversation] = location.hash.split("/").map(decodeURIComponent);
  const bot = bots.find((each) => each.namespace === namespace && each.name === name);
  if (bot) open(bot, conversation);
  else if (bots.length === 1) open(bots[0]);
  else show(true);
}

function send() {
  const text = $("text").value.trim();
  if (!text || $("send").disabled) return;
  $("text").value = "";
  chat.say(text);
}

$("message-form").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
$("text").addEventListener("keydown", (event) => {
  // While an input method composes, Enter chooses what it suggests.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
$("cancel").addEventListener("click", () => chat?.cancel());
$("restart").addEventListener("click", () => open(chosen));
$("menu").addEventListener("click", () => show(!document.body.classList.contains("choosing")));
$("sign-in").addEventListener("click", () => $("token-dialog").showModal());
$("sign-out").addEventListener("click", () => signed(""));
$("token-cancel").addEventListener("click", () => $("token-dialog").close());
$("token-form").addEventListener("submit", () => {
  const value = $("token").value.trim();
  $("token").value = "";
  signed(value);
});
$("sign-out").hidden = !token.get();
setInterval(() => {
  if (!document.hidden && !$("token-dialog").open) refresh();
}, REFRESH);
start();
