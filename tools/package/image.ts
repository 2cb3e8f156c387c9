// The container images: Node, the libraries that it is linked with, and the build output; no shell. There are two: one
// for a user other than root, in which Node's file has the capabilities that the agent requires, and one for root.
// Kubernetes grants a container's capabilities only to root; other users get them from the file.
import { execFileSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { copyProgram } from "./contents.ts";
import type { Arch } from "./fetched.ts";
import { type Image, ociArchive } from "./oci.ts";
import type { Entry } from "./tar.ts";

const HOME = "usr/lib/wirespan";
const NOBODY = 65532;

/** Numbers of capabilities(7). */
const CAPABILITIES = { CAP_DAC_READ_SEARCH: 2, CAP_PERFMON: 38, CAP_BPF: 39 };

const file = (path: string, content: Buffer | string, mode = 0o644): Entry => {
  return { path, mode, content: Buffer.from(content) };
};

/** Every folder above the entries, once, before its content. */
function withFolders(entries: readonly Entry[]): Entry[] {
  const known = new Set(entries.map(({ path }) => path));
  const folders = new Map<string, Entry>();
  for (const { path } of entries) {
    const names = path.split("/").slice(0, -1);
    for (const [at] of names.entries()) {
      const folder = names.slice(0, at + 1).join("/");
      if (!known.has(folder)) folders.set(folder, { path: folder, mode: 0o755 });
    }
  }
  return [...folders.values(), ...entries];
}

/** The shared libraries of these programs and their loader, under the names that the loader uses. */
function librariesOf(programs: readonly string[]): Entry[] {
  const printed = programs.map((program) => execFileSync("ldd", [program], { encoding: "utf8" })).join("");
  const paths = new Set([...printed.matchAll(/^\s(?:\S+ => )?(\/\S+) \(0x/gm)].map(([, path]) => path!));
  return [...paths].sort().map((path) => file(path.slice(1), readFileSync(path), 0o755));
}

const system: readonly Entry[] = [
  file("etc/passwd", `root:x:0:0::/:/\nwirespan:x:${NOBODY}:${NOBODY}::/:/\n`),
  file("etc/group", `root:x:0:\nwirespan:x:${NOBODY}:\n`),
  file("etc/nsswitch.conf", "hosts: files dns\n"),
  // A place to mount a writable file system, if the container's own is read-only.
  { path: "run/wirespan", mode: 0o700, owner: NOBODY },
  { path: "tmp", mode: 0o1777 },
  { path: "var/lib/wirespan", mode: 0o700, owner: NOBODY },
];

/** `security.capability` of a program that starts with these capabilities: vfs_cap_data, revision 2 (linux/capability.h). */
function fileCapabilities(numbers: readonly number[]): Buffer {
  const EFFECTIVE = 1;
  const bits = numbers.reduce((sum, number) => sum | (1n << BigInt(number)), 0n);
  const data = Buffer.alloc(20);
  data.writeUInt32LE(0x0200_0000 | EFFECTIVE, 0);
  data.writeUInt32LE(Number(bits & 0xffff_ffffn), 4);
  data.writeUInt32LE(Number(bits >> 32n), 12);
  return data;
}

/** Both images, of the program in the folder `root`. */
function imagesOf(root: string): Image[] {
  const { name, version, license, description } = packageJson;
  const node = join(root, "node");
  const flags = readFileSync(join(root, "cli/node-flags"), "utf8").trim().split(" ");
  const main = `/${HOME}/dist/wirespan.cjs`;
  const files = globSync("**", { cwd: root, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => path !== "node")
    .sort();
  const bottom = withFolders([...system, ...librariesOf([node, join(root, "native/build/wirespan.node")])]);
  const program = withFolders([
    ...files.map((path) => file(`${HOME}/${path}`, readFileSync(join(root, path)))),
    file(`usr/bin/${name}`, `#!/${HOME}/node\nrequire("${main}");\n`, 0o755),
  ]);
  // Stripping it makes it a seventh smaller.
  execFileSync("strip", [node]);
  const nodeWith = (attributes: Record<string, Buffer>): Entry[] => {
    return withFolders([{ ...file(`${HOME}/node`, readFileSync(node), 0o755), attributes }]);
  };
  const common = {
    architecture: process.arch === "x64" ? "amd64" : "arm64",
    labels: {
      "org.opencontainers.image.title": name,
      "org.opencontainers.image.description": description,
      "org.opencontainers.image.version": version,
      "org.opencontainers.image.licenses": license,
    },
  } as const;
  const config = { Env: ["PATH=/usr/bin"], Entrypoint: [`/${HOME}/node`, ...flags, main] };
  const capabilities = fileCapabilities(Object.values(CAPABILITIES));
  return [
    {
      ...common,
      name: `localhost/${name}:${version}`,
      layers: [bottom, nodeWith({ "security.capability": capabilities }), program],
      config: { ...config, User: `${NOBODY}:${NOBODY}` },
    },
    {
      ...common,
      name: `localhost/${name}:${version}-root`,
      layers: [bottom, nodeWith({}), program],
      config: { ...config, User: "0:0" },
    },
  ];
}

/** Both images for this machine's processor. */
export async function images(): Promise<Image[]> {
  const folder = mkdtempSync(join(tmpdir(), "wirespan-image-"));
  try {
    await copyProgram(folder, process.arch as Arch);
    return imagesOf(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Writes an archive of each to the folder `out`: `wirespan-VERSION-oci.tar` and `wirespan-VERSION-root-oci.tar`. */
export async function image(out: string): Promise<void> {
  for (const each of await images()) {
    const name = each.name.replace(/^.*\//, "").replace(":", "-");
    writeFileSync(join(out, `${name}-oci.tar`), ociArchive(each));
  }
}
