// How fast this machine's time stamp counter counts.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { output } from "../support/netns.ts";

const source = fileURLToPath(new URL("tsc.c", import.meta.url));

/** A guest sees this machine's counter, but sometimes measures it wrongly: its clock is then off by a factor. */
export async function tscKhz(): Promise<string> {
  const program = join(await mkdtemp(join(tmpdir(), "wirespan-tsc-")), "tsc");
  try {
    await output("cc", ["-o", program, source]);
    return (await output(program, [])).trim();
  } finally {
    await rm(dirname(program), { recursive: true });
  }
}
