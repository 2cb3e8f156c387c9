// workers.js COUNT FOLDER: runs exchange.js in worker threads at once, each with a table of its own. Prints their results.
import { text } from "node:stream/consumers";
import { Worker } from "node:worker_threads";

const [, , count = "0", folder = ""] = process.argv;
const results = await Promise.all(
  Array.from({ length: Number(count) }, async () => {
    const worker = new Worker(new URL("exchange.js", import.meta.url), {
      argv: ["https", "250", "4", folder],
      stdout: true,
    });
    return JSON.parse(await text(worker.stdout));
  }),
);
console.log(JSON.stringify(results));
