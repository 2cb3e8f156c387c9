// A client or a server for the tests of the page: `staged.mjs serve PORT [reset|leak|echo|backlog N]`,
// `staged.mjs ask HOST PORT PER_SECOND [leave|chat]`, `staged.mjs push HOST PORT`.
// When a client is stopped it prints a line of JSON: how many attempts it made, and how many of them failed or were reset.
import { createServer, connect } from "node:net";

const [what, ...rest] = process.argv.slice(2);

if (what === "serve") {
  const [port, how, n] = rest;
  const server = createServer({ allowHalfOpen: how === "leak" }, (socket) => {
    socket.on("error", () => {});
    if (how === "echo") return socket.pipe(socket);
    // It never closes connections that its client has closed.
    if (how === "leak") return socket.once("data", () => socket.write("answer\n"));
    socket.once("data", () => {
      if (how !== "reset") return socket.end("answer\n");
      // In the middle of a response.
      socket.write("ans", () => socket.resetAndDestroy());
    });
  });
  const backlog = how === "backlog" ? Number(n) : 511;
  server.listen({ port: Number(port), host: "0.0.0.0", backlog }, () => console.log("ready"));
} else if (what === "push") {
  const [host, port] = rest;
  const socket = connect({ host, port: Number(port) });
  const block = Buffer.alloc(65_536);
  const push = () => socket.write(block, push);
  push();
  console.log("ready");
} else {
  const [host, port, perSecond, how] = rest;
  const counts = { attempts: 0, failed: 0, reset: 0 };
  const open = new Set();
  const ask = () => {
    counts.attempts++;
    const socket = connect({ host, port: Number(port) });
    open.add(socket);
    let isConnected = false;
    let questions = how === "chat" ? 30 : 1;
    const question = () => {
      if (questions-- > 0) socket.write("question\n");
      else if (how !== undefined) socket.end();
    };
    socket.once("connect", () => {
      isConnected = true;
      question();
    });
    socket.on("data", question);
    socket.once("end", () => socket.end());
    socket.once("error", () => {
      if (isConnected) counts.reset++;
      else counts.failed++;
    });
    socket.once("close", () => open.delete(socket));
  };
  const timer = setInterval(ask, 1000 / Number(perSecond));
  process.once("SIGTERM", () => {
    clearInterval(timer);
    const end = setInterval(() => {
      if (open.size > 0) return;
      console.log(JSON.stringify(counts));
      clearInterval(end);
    }, 50);
    // Requests to a suspended server time out.
    setTimeout(() => {
      for (const socket of open) socket.destroy();
    }, 1000);
  });
  console.log("ready");
}
