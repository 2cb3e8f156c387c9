// Determines who can reach the page.

/** Whether other hosts can reach an address (`host:port`), which was already validated. */
export function isOpenToOthers(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(":"));
  return !["127.0.0.1", "[::1]", "localhost"].includes(host);
}
