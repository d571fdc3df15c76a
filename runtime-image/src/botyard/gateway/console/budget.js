// What the chosen bot may spend and has spent, what somebody is asked to grant, and grants.

import { botPath, call, post, randomId } from "/console/api.js";
import { $, element } from "/console/dom.js";

const REFRESH = 10_000;
const MOST_PERSONAS = 20;
const COINS_PER_DOLLAR = 1_000_000;
const count = new Intl.NumberFormat("en");
const dollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: 6 });

export class BudgetView {
  #bot = null;
  #operates = true; // Whether this person may see all of the bot's spending; the gateway says.
  #timer = 0;
  #grant = null; // The grant that is being sent; its id makes sending again harmless.

  constructor() {
    $("budget").addEventListener("click", () => this.#open());
    $("budget-close").addEventListener("click", () => $("budget-dialog").close());
    $("grant-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send({ coins: Number($("grant-coins").value) }, $("grant-persona").value);
    });
  }

  // Looks at a bot from now on, or at none.
  watch(bot) {
    clearTimeout(this.#timer);
    this.#bot = bot;
    this.#operates = true;
    for (const list of [$("accounts"), $("asks")]) {
      list.replaceChildren();
      delete list.dataset.drawn;
    }
    $("budget").textContent = "Budget";
    $("budget").hidden = !bot;
    $("budget-dialog").close();
    if (bot) this.#again();
  }

  #open() {
    $("budget-said").textContent = "";
    $("budget-title").textContent = `Budget of ${this.#bot.namespace}/${this.#bot.name}`;
    $("grant-persona").replaceChildren(...this.#bot.personas.map((name) => element("option", { text: name })));
    $("budget-dialog").showModal();
    this.#again();
  }

  async #again() {
    clearTimeout(this.#timer);
    const bot = this.#bot;
    let asked = true;
    try {
      const report = await this.#read(bot);
      if (bot === this.#bot) this.#draw(report);
    } catch (error) {
      if (bot !== this.#bot) return;
      $("budget-note").textContent = error.status ? error.message : "The gateway cannot be reached.";
      asked = error.status !== 401;
    }
    // Without the right to operate the bot there is nothing to be asked: look while the window is open only.
    if (bot === this.#bot && asked && (this.#operates || $("budget-dialog").open)) {
      this.#timer = setTimeout(() => this.#again(), REFRESH);
    }
  }

  async #read(bot) {
    if (this.#operates) {
      try {
        return await (await call(`${botPath(bot)}/budget`)).json();
      } catch (error) {
        if (error.status !== 403) throw error;
        this.#operates = false;
      }
    }
    // Who uses the bot sees its Personas.
    const names = bot.personas.slice(0, MOST_PERSONAS);
    const answers = await Promise.all(names.map(async (name) => (await call(personaPath(bot, name))).json()));
    return { accounts: answers.flatMap((each) => each.accounts), asks: answers.flatMap((each) => each.asks) };
  }

  #draw({ accounts, asks }) {
    $("budget").textContent = asks.length ? `Budget: ${asks.length} asked for` : "Budget";
    $("budget-note").textContent = accounts.length ? "" : "Nothing of this bot has a budget.";
    fill($("accounts"), accounts, accountRow);
    $("asks-title").hidden = asks.length === 0;
    fill($("asks"), asks, (ask) => this.#askItem(ask));
    $("grant-form").hidden = !this.#operates || !this.#bot.personas.length;
  }

  #askItem(ask) {
    const { words, only } = place(ask);
    const text = `${words} has spent ${coins(ask.spent)} of ${coins(ask.limit)} and needs at least ${coins(ask.needed)}.`;
    const item = element("li", {}, element("p", { text }));
    if (!this.#operates) return item;
    const missing = Math.max(1, ask.spent + ask.needed - ask.limit);
    const amount = element("input", { type: "number", min: 1, step: 1, required: "", value: missing, "aria-label": `Coins for ${words}` });
    const form = element("form", { class: "row" }, amount, element("button", { type: "submit", text: "Grant" }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send({ coins: Number(amount.value), ...only }, ask.persona);
    });
    item.append(form);
    return item;
  }

  async #send(grant, persona) {
    const same = JSON.stringify([persona, grant]);
    if (this.#grant?.same !== same) this.#grant = { same, id: randomId() };
    $("budget-said").textContent = "sending…";
    try {
      await post(`${personaPath(this.#bot, persona)}/grants`, { ...grant, id: this.#grant.id });
      this.#grant = null;
      const where = grant.task ? " for one task" : grant.thread ? " for one thread" : " for today";
      $("budget-said").textContent = `${coins(grant.coins)} granted to ${persona}${where}.`;
    } catch (error) {
      $("budget-said").textContent = error.status ? error.message : "The gateway cannot be reached; try again.";
    }
    this.#again();
  }
}

// A look that found the same changes nothing: not what somebody types, nor where a screen reader is.
function fill(list, items, made) {
  const drawn = JSON.stringify(items);
  if (list.dataset.drawn === drawn) return;
  list.dataset.drawn = drawn;
  list.replaceChildren(...items.map(made));
}

const personaPath = (bot, name) => `${botPath(bot)}/personas/${encodeURIComponent(name)}/budget`;

const coins = (number) => `${count.format(number)} coins (${dollars.format(number / COINS_PER_DOLLAR)})`;

function accountRow(line) {
  const limit = line.limit === null ? null : line.limit + line.granted;
  const share = limit ? Math.min(1, (line.spent + line.reserved) / limit) : 0;
  const bar = element("progress", { max: 1, value: share, "aria-label": `${Math.round(share * 100)} % used` });
  const state = line.exceeded ? "used up" : share >= 0.8 ? "nearly used up" : "";
  return element("tr", { class: line.exceeded ? "exceeded" : "" },
    element("th", { scope: "row", text: nameOf(line.account) }),
    element("td", { text: coins(line.spent) }),
    element("td", { text: count.format(line.reserved) }),
    element("td", { text: limit === null ? "no limit" : coins(limit) }),
    element("td", {}, ...(limit === null ? [] : [bar]), element("span", { class: "mark", text: state })));
}

function nameOf(account) {
  const [kind, name] = split(account);
  return kind === "bot" ? "Bot" : kind === "persona" ? name : `${kind} ${name}`;
}

// Which account a request is about: in words, and as a grant names it.
function place(ask) {
  const [kind, name] = split(ask.account);
  if (kind === "persona") return { words: ask.persona, only: {} };
  const which = name.slice(name.indexOf("/") + 1);
  return { words: `${kind} ${which} of ${ask.persona}`, only: { [kind]: which } };
}

function split(account) {
  const at = account.indexOf(":");
  return at < 0 ? [account, ""] : [account.slice(0, at), account.slice(at + 1)];
}
