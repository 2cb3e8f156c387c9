// `identity.names`: names that an administrator gives to processes, as text in the configuration.
import { Pattern } from "./pattern.ts";

/** `executable=java argument=*kafka.Kafka* -> messaging/kafka` */
export interface Rule {
  readonly executable?: Pattern;
  readonly comm?: Pattern;
  /** Any one argument. */
  readonly argument?: Pattern;
  /** The path of one of its cgroups, or of one above. */
  readonly cgroup?: Pattern;
  /** A port on which the process listens when it is first seen. */
  readonly port?: number;
  readonly name: string;
  readonly namespace: string | undefined;
}

/** What rules need to know about a process. */
export interface Subject {
  readonly executable: string;
  readonly comm: string;
  readonly cgroups: readonly string[];
  /** Whether one of its arguments matches this rule's pattern. */
  hasArgument(rule: Rule): boolean;
  listensOn(port: number): boolean;
}

const criteria = ["executable", "comm", "argument", "cgroup", "port"] as const;
type Criterion = (typeof criteria)[number];

export const example = "executable=java argument=*kafka.Kafka* -> messaging/kafka";

/** The rule, or what is wrong with its text. */
export function parseRule(text: string): Rule | string {
  const [left = "", right, ...more] = text.split("->");
  if (right === undefined || more.length > 0)
    return `one "->" between criteria and a name, such as ${example}`;
  const words = left.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) return `at least one criterion (${criteria.join(", ")}) before "->"`;
  const found: Partial<Record<Criterion, string>> = {};
  for (const word of words) {
    const at = word.indexOf("=");
    const key = criteria.find((name) => name === word.slice(0, at));
    const value = word.slice(at + 1);
    if (at < 0 || key === undefined)
      return `one of ${criteria.map((name) => `${name}=`).join(", ")} before "->"`;
    if (found[key] !== undefined) return `${key}= once in a mapping`;
    if (value === "") return `a pattern behind ${key}=`;
    found[key] = value;
  }
  const port = Number(found.port);
  if (found.port !== undefined && !(/^\d{1,5}$/.test(found.port) && port >= 1 && port <= 65535))
    return "a port from 1 to 65535 behind port=";
  const names = right.trim().split("/");
  if (names.length > 2 || names.some((name) => name.trim() === "" || Buffer.byteLength(name) > 256))
    return 'service.name or service.namespace/service.name behind "->", each of at most 256 bytes';
  const [name, namespace] = names.reverse();
  const pattern = (key: Exclude<Criterion, "port">) =>
    found[key] !== undefined && { [key]: new Pattern(found[key]) };
  return {
    ...pattern("executable"),
    ...pattern("comm"),
    ...pattern("argument"),
    ...pattern("cgroup"),
    ...(found.port !== undefined && { port }),
    name: name!,
    namespace,
  };
}

/** What arguments are compared with, in order. */
export function argumentPatterns(rules: readonly Rule[]): readonly Pattern[] {
  return rules.flatMap(({ argument }) => argument ?? []);
}

/** The first rule whose criteria all match. */
export function firstRule(rules: readonly Rule[], subject: Subject): Rule | undefined {
  const is = (pattern: Pattern | undefined, text: string) =>
    pattern === undefined || pattern.matches(Buffer.from(text));
  return rules.find(
    (rule) =>
      is(rule.executable, subject.executable) &&
      is(rule.comm, subject.comm) &&
      (rule.cgroup === undefined || subject.cgroups.some((path) => isBelow(rule.cgroup!, path))) &&
      (rule.argument === undefined || subject.hasArgument(rule)) &&
      (rule.port === undefined || subject.listensOn(rule.port)),
  );
}

function isBelow(pattern: Pattern, path: string): boolean {
  for (let at = path.length; at > 0; at = path.lastIndexOf("/", at - 1))
    if (pattern.matches(Buffer.from(path.slice(0, at)))) return true;
  return false;
}
