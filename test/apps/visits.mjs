// Visitors of a web server: `visits.mjs URL PER_SECOND`. Each loads a few pages over one connection and leaves. Prints
// a line of JSON when it is stopped: how many visits there were, and how many failed.
import { Agent, get } from "node:http";

const PAGES = 4;
const [url, perSecond] = process.argv.slice(2);
const counts = { visits: 0, failed: 0 };

const page = (agent) =>
  new Promise((resolve, reject) => {
    get(url, { agent }, (answer) => answer.resume().once("end", resolve)).once("error", reject);
  });

async function visit() {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  counts.visits++;
  try {
    for (let i = 0; i < PAGES; i++) await page(agent);
  } catch {
    counts.failed++;
  }
  agent.destroy();
}

const timer = setInterval(visit, 1000 / Number(perSecond));
process.once("SIGTERM", () => {
  clearInterval(timer);
  setTimeout(() => {
    console.log(JSON.stringify(counts));
    process.exit();
  }, 1000);
});
console.log("ready");
