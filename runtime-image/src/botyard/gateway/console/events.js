// Server-sent events over fetch: unlike EventSource it can send a token, and it tells why a stream was refused.

import { ProblemError, call } from "/console/api.js";

const SILENCE = 30000; // Three keep-alives: a connection that says nothing for so long is broken.

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
// onState gets "live", "lost" (it is tried again) or "expired" (what was missed is no longer kept).
export async function follow(path, { signal, onEvent, onState }) {
  let last = 0;
  let pause = 500;
  while (!signal.aborted) {
    try {
      await read(path, signal, last, onState, (event) => {
        const id = Number(event.id);
        if (id <= last) return;
        last = id;
        pause = 500;
        onEvent(event.type, JSON.parse(event.data));
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ProblemError) {
        if (error.status === 410) {
          last = 0;
          onState("expired");
          continue;
        }
        if (error.status < 500 && error.status !== 429) throw error;
        pause = Math.max(pause, error.retryAfter * 1000);
      }
    }
    if (signal.aborted) return;
    onState("lost");
    await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
    pause = Math.min(pause * 2, 10000);
  }
}

async function read(path, signal, last, onState, onEvent) {
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal.addEventListener("abort", abort);
  let timer = setTimeout(abort, SILENCE);
  try {
    const headers = last ? { "Last-Event-ID": String(last) } : {};
    const response = await call(path, { headers, signal: stop.signal });
    onState("live");
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(abort, SILENCE);
      for (const event of parser.feed(value)) onEvent(event);
    }
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
