// A hand-written HTTP/2 implementation, so that the stream of each byte is known: many concurrent streams, with frames
// interleaved, several in one message, some split at a message's end. For each frame, both ends print as JSON its request's
// context and its bytes of the connection; the server first prints `{"port":N}`, and ends when its standard input is closed.
// Arguments: serve ADDRESS {body, chopped} | ask ADDRESS PORT {count, streams, body, chopped}. `body`: maximum bytes of a
// request or an answer; `chopped`: data is sent in messages of a few bytes each.
import { randomBytes } from "node:crypto";
import { connect, createServer } from "node:net";

const [mode, address, ...words] = process.argv.slice(2);
const { count, streams, body = 3000, chopped } = JSON.parse(words.at(-1));
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
/** A random integer from 0 to below n. */
const below = (n) => Math.floor(Math.random() * n);

const DATA = 0;
const HEADERS = 1;
const SETTINGS = 4;
const END_STREAM = 1;
const END_HEADERS = 4;

function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** A literal of a header block, without indexing. */
const literal = (name, value) =>
  Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);

/** Sends the pending frames of all streams, a few per message. */
class Sender {
  #socket;
  #queues = new Map();
  #at;
  #pumping = false;

  constructor(socket, at) {
    this.#socket = socket;
    this.#at = at;
  }

  /** The frames of one stream, in their order. */
  add(stream, traceparent, frames) {
    this.#queues.set(stream, { traceparent, frames });
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => this.#pump());
  }

  async #pump() {
    const parts = [];
    /** Where messages end. */
    const cuts = [];
    let bytes = 0;
    for (let left = 1 + below(6); left > 0 && this.#queues.size > 0; left--) {
      const stream = [...this.#queues.keys()][below(this.#queues.size)];
      const queue = this.#queues.get(stream);
      const next = queue.frames.shift();
      if (queue.frames.length === 0) this.#queues.delete(stream);
      // Anywhere in a data frame, including its header.
      if (next[3] === DATA) {
        if (chopped) {
          for (let at = below(4); at < next.length; at += 1 + below(12)) cuts.push(bytes + at);
        } else if (Math.random() < 0.2) cuts.push(bytes + 1 + below(next.length - 1));
      }
      const from = this.#at + bytes;
      say({
        traceparent: queue.traceparent,
        ...{ from, to: from + next.length },
        ...(mode === "ask" ? { localPort: this.#socket.localPort } : { peerPort: this.#socket.remotePort }),
      });
      parts.push(next);
      bytes += next.length;
    }
    this.#at += bytes;
    const message = Buffer.concat(parts);
    let from = 0;
    for (const to of [...cuts, message.length]) {
      const piece = message.subarray(from, to);
      if (piece.length === 0) continue;
      // Writes that have to wait for the last one are merged.
      if (chopped) await new Promise((resolve) => this.#socket.write(piece, resolve));
      else this.#socket.write(piece);
      from = to;
    }
    this.#pumping = this.#queues.size > 0;
    if (this.#pumping) setImmediate(() => this.#pump());
  }
}

/** A message: headers, and up to `body` bytes in up to four frames. */
function messageOf(stream, block) {
  const frames = [frame(HEADERS, END_HEADERS, stream, block)];
  const parts = 1 + below(4);
  for (let i = 1; i <= parts; i++)
    frames.push(frame(DATA, i === parts ? END_STREAM : 0, stream, randomBytes(below(body / parts))));
  return frames;
}

/** Calls `on(type, flags, stream, payload)` for each frame received. */
function receive(socket, skip, on) {
  let had = Buffer.alloc(0);
  let left = skip;
  socket.on("data", (bytes) => {
    had = Buffer.concat([had, bytes]);
    if (left > 0) {
      const gone = Math.min(left, had.length);
      had = had.subarray(gone);
      left -= gone;
    }
    while (left === 0 && had.length >= 9) {
      const length = 9 + had.readUIntBE(0, 3);
      if (had.length < length) return;
      const whole = had.subarray(0, length);
      had = had.subarray(length);
      on(whole[3], whole[4], whole.readUInt32BE(5), whole.subarray(9));
    }
  });
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const settings = frame(SETTINGS, 0, 0);

function serve() {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {});
    const traceparents = new Map();
    const sender = new Sender(socket, settings.length);
    socket.write(settings);
    receive(socket, PREFACE.length, (type, flags, stream, payload) => {
      if (type === HEADERS) {
        const name = payload.indexOf("traceparent");
        traceparents.set(stream, payload.subarray(name + 12, name + 67).toString());
      }
      if (stream && flags & END_STREAM)
        sender.add(stream, traceparents.get(stream), messageOf(stream, Buffer.from([0x88])));
    });
  });
  server.listen(0, address, () => say({ port: server.address().port }));
  process.stdin.resume().on("end", () => process.exit(0));
}

function ask(port) {
  const socket = connect({ host: address, port, noDelay: true }, () => {
    socket.write(PREFACE + settings.toString("latin1"), "latin1");
    const sender = new Sender(socket, PREFACE.length + settings.length);
    let asked = 0;
    let answered = 0;
    const next = () => {
      if (asked === count) return;
      const stream = 2 * asked++ + 1;
      const traceparent = `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`;
      const block = Buffer.concat([Buffer.from([0x83, 0x86, 0x84]), literal("traceparent", traceparent)]);
      sender.add(stream, traceparent, messageOf(stream, block));
    };
    receive(socket, 0, (_type, flags, stream) => {
      if (!stream || !(flags & END_STREAM)) return;
      answered++;
      if (answered === count) socket.destroy();
      else next();
    });
    for (let i = 0; i < streams; i++) next();
  });
}

if (mode === "serve") serve();
else ask(Number(words[0]));
