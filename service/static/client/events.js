// Server-sent events, read from the body of an answer: an EventSource sends no keys, and Node has none.
import { Unreachable } from "./errors.js";

const LINE_END = /\r\n|\n|\r(?!$)/; // one that ends a piece may be followed by its other half

async function* pieces(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const read = () => reader.read().catch((error) => { throw new Unreachable("the stream was cut", error); });
  try {
    for (let got = await read(); !got.done; got = await read()) yield got.value;
  } finally {
    await reader.cancel().catch(() => {}); // also when nobody listens any more
  }
}

/** Each event as `{ event, data, id }`, as text; what was not told is undefined. One that is not complete is left out. */
export async function* eventsIn(body) {
  let left = "", event = {};
  for await (const piece of pieces(body)) {
    const lines = (left + piece).split(LINE_END);
    left = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data !== undefined) yield event;
        event = {};
        continue;
      }
      const [, name, value] = line.match(/^([^:]*):? ?([^]*)$/);
      if (name === "data") event.data = event.data === undefined ? value : `${event.data}\n${value}`;
      else if (name === "event" || name === "id") event[name] = value;
    }
  }
}
