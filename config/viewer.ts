// Who can reach the page.

/** Whether other hosts reach an address (`host:port`), which has been checked to be one. */
export function isOpenToOthers(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(":"));
  return !["127.0.0.1", "[::1]", "localhost"].includes(host);
}
