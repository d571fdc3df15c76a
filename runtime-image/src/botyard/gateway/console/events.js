// Server-sent events over fetch: unlike EventSource it can send a token, and it tells why a stream was refused.

export class ProblemError extends Error {
  constructor(problem, retryAfter) {
    super(problem.detail || problem.title || `The gateway answered ${problem.status}.`);
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

export async function call(path, { token, ...options } = {}) {
  const headers = new Headers(options.headers);
  if (token) headers.set("Authorization", `Bearer ${token}`);
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({ status: response.status }));
  throw new ProblemError(problem, Number(response.headers.get("Retry-After")) || 0);
}

// Takes text in pieces of any size, gives whole events.
export class EventParser {
  #rest = "";

  feed(text) {
    const blocks = (this.#rest + text).split("\n\n");
    this.#rest = blocks.pop();
    return blocks.map(parseBlock).filter((event) => event.data !== "");
  }
}

function parseBlock(block) {
  const event = { id: "", type: "message", data: "" };
  for (const line of block.split("\n")) {
    if (line.startsWith("id: ")) event.id = line.slice(4);
    else if (line.startsWith("event: ")) event.type = line.slice(7);
    else if (line.startsWith("data: ")) event.data += (event.data && "\n") + line.slice(6);
  }
  return event;
}

// Follows a conversation until the signal ends it; comes back after the last event that it saw.
export async function follow(path, { token, signal, onEvent, onState }) {
  let last = "";
  let pause = 500;
  while (!signal.aborted) {
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const response = await call(path, { token, headers, signal });
      onState("connected");
      pause = 500;
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        for (const event of parser.feed(value)) {
          if (event.id) last = event.id;
          onEvent(event.type, JSON.parse(event.data));
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ProblemError) {
        if (error.problem.status === 410) last = "";
        else if (error.problem.status < 500 && error.problem.status !== 429) throw error;
        pause = Math.max(pause, error.retryAfter * 1000);
      }
    }
    if (signal.aborted) return;
    onState("reconnecting");
    await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
    pause = Math.min(pause * 2, 15000);
  }
}
