/**
 * Writes an address, as Node prints it, to 16 bytes of `bytes` from `at` on; IPv4 as ::ffff:a.b.c.d.
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {string} text
 */
export function writeAddress(bytes, at, text) {
  bytes.fill(0, at, at + 16);
  const zone = text.indexOf("%");
  const address = zone < 0 ? text : text.slice(0, zone);
  if (!address.includes(":")) {
    bytes.fill(255, at + 10, at + 12);
    writeDotted(bytes, at + 12, address);
    return;
  }
  const [before = "", after] = address.split("::");
  writeGroups(bytes, at, before);
  if (after) writeGroups(bytes, at + 16 - length(after), after);
}

/** @param {string} groups */
function length(groups) {
  return groups.split(":").length * 2 + (groups.includes(".") ? 2 : 0);
}

/** @param {Uint8Array} bytes @param {number} at @param {string} groups */
function writeGroups(bytes, at, groups) {
  if (groups === "") return;
  let to = at;
  for (const group of groups.split(":")) {
    if (group.includes(".")) {
      writeDotted(bytes, to, group);
      return;
    }
    const value = Number.parseInt(group, 16);
    bytes[to++] = value >> 8;
    bytes[to++] = value;
  }
}

/** @param {Uint8Array} bytes @param {number} at @param {string} dotted */
function writeDotted(bytes, at, dotted) {
  dotted.split(".").forEach((part, i) => {
    bytes[at + i] = Number(part);
  });
}
