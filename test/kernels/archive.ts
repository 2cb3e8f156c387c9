// Stock kernels from Debian's archive, fetched by the machine's own apt with a separate configuration: signatures are
// checked, the machine's sources stay unchanged. Unpacked kernels are kept in the user's cache.
import { existsSync, globSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Arch } from "../../tools/package/fetched.ts";
import { output } from "../support/netns.ts";

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "wirespan", "kernels");
const mirror = "http://deb.debian.org/debian";
/** From 5.10 to the newest; those that the mirror does not have are omitted. */
const suites = ["bullseye", "bookworm", "trixie", "trixie-backports"];
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
const dayMs = 86_400_000;
/** Processors, as Debian spells them. */
const debian = { x64: "amd64", arm64: "arm64" } as const;

/** An unpacked kernel: `<folder>/vmlinuz` and `<folder>/lib/modules/<release>`. */
export interface Kernel {
  readonly arch: Arch;
  readonly folder: string;
  readonly release: string;
}

/** The newest kernel of a series such as 6.12, from the cache if it is there; undefined if none is available. */
export async function kernelOf(series: string, arch: Arch): Promise<Kernel | undefined> {
  const folder = join(cache, arch === "x64" ? series : `${series}-${arch}`);
  if (!existsSync(folder)) {
    const apt = await configured(arch);
    const image = await newest(apt, series, arch);
    if (image === undefined) return undefined;
    await unpack(apt, image, folder);
  }
  const [release] = await readdir(join(folder, "lib/modules"));
  if (release === undefined) throw new Error(`${folder} holds no modules: remove it and run this again`);
  return { arch, folder, release };
}

/** Runs a program of apt's with our configuration; returns its standard output. */
type Apt = (program: string, ...args: readonly string[]) => Promise<string>;

async function configured(arch: Arch): Promise<Apt> {
  const base = join(cache, `apt-${arch}`);
  const file = join(base, "apt.conf");
  const apt: Apt = (program, ...args) => output("env", [`APT_CONFIG=${file}`, program, ...args]);
  const fresh = await stat(join(base, "updated")).catch(() => undefined);
  if (fresh && Date.now() - fresh.mtimeMs < dayMs) return apt;

  for (const folder of ["lists/partial", "archives/partial"])
    await mkdir(join(base, folder), { recursive: true });
  const signed = `deb [arch=${debian[arch]} signed-by=${keyring}] ${await ownMirror()}`;
  await writeFile(join(base, "sources.list"), suites.map((suite) => `${signed} ${suite} main\n`).join(""));
  await writeFile(
    file,
    `Dir::Etc::sourcelist "${base}/sources.list"; Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "${base}/lists"; Dir::Cache "${base}"; Dir::Cache::archives "${base}/archives";
APT::Architecture "${debian[arch]}"; APT::Architectures { "${debian[arch]}"; };
Acquire::Languages "none"; APT::Sandbox::User "root";
`,
  );
  // It fails as a whole if one suite is gone, but the lists of the others are still available.
  const failure = await apt("apt-get", "update", "-q").then(
    () => undefined,
    (error: Error) => error,
  );
  if (globSync(join(base, "lists/*_Packages*")).length === 0)
    throw failure ?? new Error("apt-get got no lists");
  await writeFile(join(base, "updated"), "");
  return apt;
}

/** The mirror of this machine's own packages, if it is Debian's. */
async function ownMirror(): Promise<string> {
  const sources = await output("apt-get", ["indextargets", "--format", "$(REPO_URI) $(RELEASE)"]);
  return new RegExp(`^(\\S+) (?:${suites.join("|")})$`, "m").exec(sources)?.[1] ?? mirror;
}

/** The package of the newest plain image: cloud images have no 9p. */
async function newest(apt: Apt, series: string, arch: Arch): Promise<string | undefined> {
  const plain = new RegExp(`^linux-image-${RegExp.escape(series)}[.+]\\d[^-]*(-\\d+)?-${debian[arch]}$`);
  const names = (await apt("apt-cache", "pkgnames", `linux-image-${series}`)).split("\n");
  const ascending = names
    .filter((name) => plain.test(name))
    .sort(new Intl.Collator("en", { numeric: true }).compare);
  // The result includes packages that only mention the name.
  for (const name of ascending.reverse()) if ((await versions(apt, name)) !== "") return name;
  return undefined;
}

const versions = (apt: Apt, name: string): Promise<string> => apt("apt-cache", "madison", name);

async function unpack(apt: Apt, image: string, folder: string): Promise<void> {
  const scratch = await mkdtemp(join(cache, "unpack-"));
  try {
    // Since 7.x the image is split.
    const control = await apt("apt-cache", "show", "--no-all-versions", image);
    const depends = /^Depends: (.*)$/m.exec(control)?.[1] ?? "";
    const packages = [image, ...(depends.match(/\blinux-(?:binary|modules)-[^ ,]+/g) ?? [])];
    await apt("sh", "-c", 'cd "$0" && exec apt-get download -q "$@"', scratch, ...packages);
    const root = join(scratch, "root");
    for (const deb of globSync(join(scratch, "*.deb"))) await output("dpkg-deb", ["-x", deb, root]);

    const kernel = join(scratch, "kernel");
    for (const modules of globSync(join(root, "{lib,usr/lib}/modules"))) {
      await cp(modules, join(kernel, "lib/modules"), { recursive: true });
    }
    const [release = ""] = await readdir(join(kernel, "lib/modules"));
    const [vmlinuz] = globSync([
      join(root, "boot/vmlinuz-*"),
      join(root, `usr/lib/modules/${release}/vmlinuz`),
    ]);
    if (vmlinuz === undefined) throw new Error(`${image} holds no vmlinuz`);
    await cp(vmlinuz, join(kernel, "vmlinuz"));
    await output("depmod", ["-b", kernel, release]);
    await rename(kernel, folder);
  } finally {
    await rm(scratch, { recursive: true });
  }
}
