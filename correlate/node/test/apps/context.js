import { randomBytes } from "node:crypto";

/** A unique context; sampled unless `flags` says otherwise. */
export function context(flags = "01") {
  return `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-${flags}`;
}
