// The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name, interpreted as by curl and other agents.
import { BlockList, isIP } from "node:net";
import { WirespanError } from "../../../core/plugin/errors.ts";
import { authorizationOf, type Target } from "./endpoint.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface HttpProxy {
  readonly url: URL;
  readonly host: string;
  readonly port: number;
  readonly authorization: string | undefined;
  /** For messages: without user and password. */
  readonly shown: string;
  /** The variable that names it. */
  readonly variable: string;
}

/** The proxy for `target`; undefined: none. Throws CONFIG_INVALID for a variable that does not name an HTTP proxy. */
export function proxyFor(target: Target, env: Environment): HttpProxy | undefined {
  if (target.path !== undefined || isExcluded(target, env.no_proxy ?? env.NO_PROXY ?? "")) return undefined;
  const name = target.secure ? "https_proxy" : "http_proxy";
  const variable = [name, name.toUpperCase()].find((key) => env[key]?.trim());
  if (variable === undefined) return undefined;
  const written = env[variable]!.trim();
  const url = URL.parse(/^[a-z0-9]+:\/\//i.test(written) ? written : `http://${written}`);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    const shown = written.replace(/\/\/[^/\s@]*@/, "//");
    throw new WirespanError(
      "CONFIG_INVALID",
      `${variable}: "${shown}" is not an HTTP proxy such as http://proxy.example:3128; NO_PROXY=${target.host} bypasses it`,
    );
  }
  return {
    url,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port) || (url.protocol === "https:" ? 443 : 80),
    authorization: authorizationOf(url),
    shown: url.origin,
    variable,
  };
}

/** Entries are domain names (including their subdomains), addresses, networks, all optionally with a port, or `*`. */
function isExcluded({ host, port }: Target, list: string): boolean {
  return list
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => entry === "*" || matches(entry.toLowerCase(), host.toLowerCase(), port));
}

function matches(entry: string, host: string, port: number): boolean {
  const [, name = entry, ofPort] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [];
  if (ofPort !== undefined && Number(ofPort) !== port) return false;
  const bare = name.replace(/^\[|\]$/g, "").replace(/^\*?\./, ".");
  if (isIP(host) !== 0) return isWithin(bare, host);
  return bare.startsWith(".")
    ? host.endsWith(bare) || host === bare.slice(1)
    : host === bare || host.endsWith(`.${bare}`);
}

function isWithin(network: string, address: string): boolean {
  const [net = "", bits] = network.split("/");
  const family = isIP(net);
  if (family === 0) return false;
  const type = family === 6 ? "ipv6" : "ipv4";
  const most = family === 6 ? 128 : 32;
  const prefix = bits === undefined ? most : Number(bits);
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > most) return false;
  const list = new BlockList();
  list.addSubnet(net, prefix, type);
  return list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}
