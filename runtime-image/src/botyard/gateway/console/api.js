// Calls of the gateway, with the token of this tab.

const TOKEN = "botyard.token";

export const token = {
  get: () => sessionStorage.getItem(TOKEN) || "",
  set: (value) => (value ? sessionStorage.setItem(TOKEN, value) : sessionStorage.removeItem(TOKEN)),
};

export class ProblemError extends Error {
  constructor(problem, status, retryAfter) {
    super(problem.detail || problem.title || `The gateway answered ${status}.`);
    this.status = status;
    this.type = String(problem.type || "").split("/").pop();
    this.retryAfter = retryAfter;
  }
}

export async function call(path, options = {}) {
  const headers = new Headers(options.headers);
  if (token.get()) headers.set("Authorization", `Bearer ${token.get()}`);
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new ProblemError(problem, response.status, Number(response.headers.get("Retry-After")) || 0);
}

export function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return call(path, { method: "POST", headers, body: JSON.stringify(body) });
}

export const botPath = (bot) =>
  `/v1/namespaces/${encodeURIComponent(bot.namespace)}/bots/${encodeURIComponent(bot.name)}`;

// crypto.randomUUID exists on https and localhost only.
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
