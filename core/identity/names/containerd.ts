// The names of containers from containerd, in all of its namespaces: those of Kubernetes and of nerdctl. Two read-only
// calls of its API (gRPC, github.com/containerd/containerd/tree/main/api/services) at its socket.
import type { ClientHttp2Session } from "node:http2";
import { createRequire } from "node:module";
import { fieldsOf } from "../protobuf.ts";
import { type Answer, type Named, readEach, type Source } from "./names.ts";

/** Limits of an answer, in milliseconds and bytes. */
const LIMIT = { ms: 5000, bytes: 64 * 1024 ** 2 };
/** An empty message, uncompressed. */
const EMPTY = Buffer.alloc(5);

/** Labels of containers, and the attributes that they become. */
const LABELS: Readonly<Record<string, string>> = {
  "nerdctl/name": "container.name",
  "io.kubernetes.container.name": "k8s.container.name",
  "io.kubernetes.pod.name": "k8s.pod.name",
  "io.kubernetes.pod.namespace": "k8s.namespace.name",
};

export class Containerd implements Source {
  readonly name: string;
  readonly #socket: string;

  constructor(socket: string) {
    this.name = `containerd at ${socket}`;
    this.#socket = socket;
  }

  async ask(): Promise<Answer> {
    const { connect } = createRequire(import.meta.url)("node:http2") as typeof import("node:http2");
    const net = createRequire(import.meta.url)("node:net") as typeof import("node:net");
    const session = connect("http://localhost", { createConnection: () => net.connect(this.#socket) });
    const { promise: failed, reject } = Promise.withResolvers<never>();
    session.on("error", reject);
    // For all calls together: it may keep answering, or have any number of namespaces.
    const timer = setTimeout(
      () => session.destroy(new Error(`no answer within ${LIMIT.ms / 1000} s`)),
      LIMIT.ms,
    );
    try {
      return await Promise.race([failed, containersOf(session)]);
    } finally {
      clearTimeout(timer);
      session.destroy();
    }
  }
}

async function containersOf(session: ClientHttp2Session): Promise<Answer> {
  const containers = new Map<string, Named>();
  for (const namespace of namesIn(await call(session, "namespaces.v1.Namespaces"))) {
    const answer = await call(session, "containers.v1.Containers", namespace);
    readEach(listed(answer), (container) => {
      const [id, named] = containerIn(container);
      containers.set(id, named);
    });
  }
  return { containers, pods: new Map() };
}

/** The raw response of a service's `List`. */
function call(session: ClientHttp2Session, service: string, namespace?: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": `/containerd.services.${service}/List`,
      "content-type": "application/grpc",
      te: "trailers",
      ...(namespace !== undefined && { "containerd-namespace": namespace }),
    });
    const parts: Buffer[] = [];
    let bytes = 0;
    let status = "";
    const heard = (headers: Record<string, unknown>) => {
      status = String(headers["grpc-status"] ?? status);
    };
    stream.on("response", heard).on("trailers", heard).on("error", reject);
    stream.once("close", () => reject(new Error("it was closed without an answer")));
    stream.on("data", (part: Buffer) => {
      bytes += part.length;
      if (bytes > LIMIT.bytes) session.destroy(new Error(`an answer of more than ${LIMIT.bytes} bytes`));
      else parts.push(part);
    });
    stream.once("end", () => {
      const { length } = EMPTY;
      if (status === "0") resolve(Buffer.concat(parts).subarray(length));
      else reject(new Error(`gRPC status ${status}`));
    });
    stream.end(EMPTY);
  });
}

const textOf = (value: number | Uint8Array): string =>
  typeof value === "number" ? "" : Buffer.from(value).toString();

/** The repeated field 1 of a message: namespaces, containers. */
function* listed(message: Uint8Array): Generator<Uint8Array> {
  for (const { number, value } of fieldsOf(message))
    if (number === 1 && value instanceof Uint8Array) yield value;
}

function namesIn(answer: Uint8Array): string[] {
  return [...listed(answer)].map((namespace) => {
    for (const { number, value } of fieldsOf(namespace)) if (number === 1) return textOf(value);
    return "";
  });
}

function containerIn(container: Uint8Array): readonly [id: string, named: Named] {
  let id = "";
  const named: Record<string, string> = {};
  for (const { number, value } of fieldsOf(container)) {
    if (number === 1) id = textOf(value);
    if (number !== 2 || typeof value === "number") continue;
    const [key = "", label = ""] = [...fieldsOf(value)].map((field) => textOf(field.value));
    const attribute = Object.hasOwn(LABELS, key) ? LABELS[key] : undefined;
    if (attribute !== undefined) named[attribute] = label;
  }
  return [id, named];
}
