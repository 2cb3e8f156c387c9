// A cluster of one node: real etcd, kube-apiserver, containerd and kubelet, without a scheduler and controllers. Tests
// that create a pod name its node, and create its owner. Needs root; leaves nothing behind.
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { freePorts } from "../backend/ports.ts";
import { Certificates } from "../support/certificates.ts";
import { end } from "../support/netns.ts";
import { until } from "../support/until.ts";
import { cniPlugins, containerPrograms, kubernetesProgram } from "./programs.ts";

/** An object of Kubernetes's API. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server returns
  readonly body: any;
}

const TOKEN = "tests";
const GROUP = `/wirespan-cluster-${process.pid}`;
const BRIDGE = `wsc${process.pid}`;
export const NODE = "wsnode";
/** What the kubelet writes to, and a test must not change. */
const SYSCTLS = ["vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"];

export class Cluster implements AsyncDisposable {
  readonly folder: string;
  readonly #processes: ChildProcess[] = [];
  readonly #programs: Readonly<Record<"apiserver" | "kubelet", string>>;
  readonly #env: NodeJS.ProcessEnv;
  /** containerd's. */
  readonly socket: string;
  #ports: readonly number[] = [];
  #holder: ChildProcess | undefined;

  /** Skips if one of the programs is absent. */
  constructor(context: Mocha.Context) {
    this.#programs = {
      apiserver: kubernetesProgram(context, "kube-apiserver"),
      kubelet: kubernetesProgram(context, "kubelet"),
    };
    this.#env = containerPrograms(context, "etcd", "containerd", "runc", "ctr", "bridge");
    this.folder = mkdtempSync(join(tmpdir(), "wirespan-cluster-"));
    this.socket = join(this.folder, "containerd.sock");
  }

  get api(): string {
    return `https://127.0.0.1:${this.#ports[0]}`;
  }

  /** A kubeconfig with all rights. */
  get kubeconfig(): string {
    return join(this.folder, "kubeconfig");
  }

  get kubeletPort(): number {
    return this.#ports[1] ?? 0;
  }

  /** etcd and the API server; resolves when it is ready. */
  async startApi(): Promise<void> {
    this.#ports = await freePorts(4);
    const [api, , etcd, peer] = this.#ports;
    const { folder } = this;
    const certificates = new Certificates(folder);
    certificates.authority("ca");
    certificates.leaf("server", "ca");
    execFileSync("openssl", ["genrsa", "-out", join(folder, "sa.key"), "2048"], { stdio: "ignore" });
    writeFileSync(join(folder, "tokens"), `${TOKEN},tests,1,system:masters\n`);
    const at = (port: number | undefined) => `http://127.0.0.1:${port}`;
    this.#start("etcd", [
      ...["--data-dir", join(folder, "etcd"), "--unsafe-no-fsync"],
      ...["--listen-client-urls", at(etcd), "--advertise-client-urls", at(etcd)],
      ...["--listen-peer-urls", at(peer), "--initial-advertise-peer-urls", at(peer)],
      ...["--initial-cluster", `default=${at(peer)}`],
    ]);
    this.#write("kubeconfig", stringify(this.#kubeconfig()));
    this.#start(this.#programs.apiserver, [
      ...["--etcd-servers", at(etcd), "--bind-address", "127.0.0.1", "--secure-port", `${api}`],
      ...[
        "--tls-cert-file",
        join(folder, "server.pem"),
        "--tls-private-key-file",
        join(folder, "server.key"),
      ],
      ...["--token-auth-file", join(folder, "tokens"), "--authorization-mode", "RBAC"],
      ...[
        "--service-account-issuer",
        "https://kubernetes.default.svc",
        "--service-cluster-ip-range",
        "10.96.0.0/24",
      ],
      ...["--service-account-key-file", join(folder, "sa.key")],
      ...["--service-account-signing-key-file", join(folder, "sa.key")],
    ]);
    await until(
      "the API server",
      () =>
        this.get("/readyz").then(
          ({ status }) => status === 200,
          () => false,
        ),
      120_000,
    );
  }

  /** Sends a request to the API server, with an administrator's rights unless another token is given. */
  get(path: string): Promise<Answer> {
    return this.#ask("GET", this.api + path);
  }

  /** Asks the kubelet. */
  pods(): Promise<Answer> {
    return this.#ask("GET", `https://127.0.0.1:${this.kubeletPort}/pods`);
  }

  /** Creates the objects of the manifest; `query` such as `dryRun=All`. */
  post(manifest: Manifest, query = "fieldValidation=Strict"): Promise<Answer> {
    return this.#ask("POST", `${this.api}${collection(manifest)}?${query}`, JSON.stringify(manifest));
  }

  /** The same, but throws the server's errors. */
  async make(manifest: Manifest): Promise<Answer["body"]> {
    const { status, body } = await this.post(manifest);
    if (status !== 201) throw new Error(`${manifest.kind} ${manifest.metadata.name}: ${body.message}`);
    return body;
  }

  delete(path: string): Promise<Answer> {
    return this.#ask("DELETE", this.api + path);
  }

  async #ask(method: string, url: string, body?: string): Promise<Answer> {
    const asked = request(url, {
      method,
      ca: readFileSync(join(this.folder, "ca.pem")),
      headers: { authorization: `Bearer ${TOKEN}`, ...(body && { "content-type": "application/json" }) },
    });
    asked.end(body);
    const [response] = await once(asked, "response");
    const said = await text(response);
    return { status: response.statusCode, body: said.startsWith("{") ? JSON.parse(said) : said };
  }

  /**
   * containerd with these images, and a kubelet that registers itself as NODE; resolves when the kubelet's pods can be
   * requested.
   */
  async startNode(images: readonly string[], pause: string): Promise<void> {
    await this.#hold();
    for (const hierarchy of hierarchies()) mkdirSync(join(hierarchy, GROUP));
    this.#write("cni/pods.conflist", JSON.stringify(this.#network()));
    this.#write("containerd.toml", this.#containerd(pause));
    this.#inside("containerd", "--config", join(this.folder, "containerd.toml"));
    await until("containerd", () => this.#ctr("version"), 60_000);
    for (const image of images)
      if (!this.#ctr("--namespace", "k8s.io", "images", "import", image))
        throw new Error(`${image}: not imported`);
    this.#write("kubelet.yaml", stringify(this.#kubeletSettings()));
    this.#inside(
      this.#programs.kubelet,
      ...["--config", join(this.folder, "kubelet.yaml"), "--kubeconfig", this.kubeconfig],
      ...["--cert-dir", join(this.folder, "pki"), "--hostname-override", NODE],
    );
    await until(
      "the kubelet",
      () =>
        this.pods().then(
          ({ status }) => status === 200,
          () => false,
        ),
      120_000,
    );
  }

  /** A mount namespace for the node: what it mounts, writes to /var and sets in /proc/sys goes with it. */
  async #hold(): Promise<void> {
    const copies = SYSCTLS.map((name) => {
      const copy = join(this.folder, name.replaceAll("/", "."));
      return `cat /proc/sys/${name} >${copy} && mount --bind ${copy} /proc/sys/${name}`;
    });
    const empty = ["/run", "/var/lib", "/var/log"].map((path) => `mount -t tmpfs tmpfs ${path}`);
    const script = [...empty, ...copies, "echo held", "exec sleep infinity"].join(" && ");
    const holder = spawn("unshare", ["--mount", "--propagation", "private", "sh", "-c", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#processes.push(holder);
    await once(holder.stdout, "data");
    this.#holder = holder;
  }

  #inside(program: string, ...args: readonly string[]): void {
    this.#start("nsenter", [`--mount=/proc/${this.#holder?.pid}/ns/mnt`, "--", program, ...args]);
  }

  #ctr(...args: readonly string[]): boolean {
    const words = ["--address", this.socket, ...args];
    const mounts = `--mount=/proc/${this.#holder?.pid}/ns/mnt`;
    return (
      spawnSync("nsenter", [mounts, "--", "ctr", ...words], { env: this.#env, stdio: "ignore" }).status === 0
    );
  }

  #network(): object {
    const ranges = [[{ subnet: "10.213.77.0/24" }]];
    const ipam = { type: "host-local", dataDir: join(this.folder, "ipam"), ranges };
    return { cniVersion: "1.0.0", name: "pods", plugins: [{ type: "bridge", bridge: BRIDGE, ipam }] };
  }

  #containerd(pause: string): string {
    return `version = 2
root = "${this.folder}/containerd"
state = "${this.folder}/state"
[grpc]
address = "${this.socket}"
[plugins."io.containerd.grpc.v1.cri"]
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
sandbox_image = "${pause}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${cniPlugins()}"
conf_dir = "${this.folder}/cni"
`;
  }

  #kubeconfig(): object {
    const cluster = { server: this.api, "certificate-authority": join(this.folder, "ca.pem") };
    return {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "tests",
      contexts: [{ name: "tests", context: { cluster: "tests", user: "tests" } }],
      clusters: [{ name: "tests", cluster }],
      users: [{ name: "tests", user: { token: TOKEN } }],
    };
  }

  #kubeletSettings(): object {
    return {
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      authentication: { anonymous: { enabled: false }, webhook: { enabled: true } },
      authorization: { mode: "Webhook" },
      tlsCertFile: join(this.folder, "server.pem"),
      tlsPrivateKeyFile: join(this.folder, "server.key"),
      address: "127.0.0.1",
      port: this.kubeletPort,
      healthzPort: 0,
      containerRuntimeEndpoint: `unix://${this.socket}`,
      cgroupDriver: "cgroupfs",
      cgroupRoot: GROUP,
      cgroupsPerQOS: true,
      failCgroupV1: false,
      failSwapOn: false,
      makeIPTablesUtilChains: false,
      enforceNodeAllocatable: [],
      oomScoreAdj: 0,
      localStorageCapacityIsolation: false,
      evictionHard: { "memory.available": "1Mi" },
    };
  }

  #write(name: string, content: string): void {
    mkdirSync(dirname(join(this.folder, name)), { recursive: true });
    writeFileSync(join(this.folder, name), content);
  }

  #start(program: string, args: readonly string[]): void {
    const log = openSync(join(this.folder, "log"), "a");
    const env = { ...this.#env, TMPDIR: this.folder };
    // setpriv: it ends when this process ends, even by SIGKILL.
    const words = ["--pdeathsig", "KILL", "--", program, ...args];
    this.#processes.push(spawn("setpriv", words, { env, stdio: ["ignore", log, log] }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#processes.reverse()) await end(child);
    // The processes of pods, and those that supervise them.
    for (let left = this.#left(); left.length > 0; left = this.#left()) {
      for (const pid of left) kill(pid);
      await sleep(50);
    }
    for (const group of hierarchies()
      .flatMap((top) => globSync(`${top}${GROUP}/{,**/}`))
      .sort()
      .reverse())
      rmdirSync(group);
    spawnSync("ip", ["link", "del", BRIDGE], { stdio: "ignore" });
    rmSync(this.folder, { recursive: true });
  }

  #left(): number[] {
    const inGroups = hierarchies()
      .flatMap((top) => globSync(`${top}${GROUP}/**/cgroup.procs`))
      .flatMap((file) => readFileSync(file, "utf8").split("\n"))
      .filter((pid) => pid !== "");
    const shims = globSync("/proc/[0-9]*/cmdline").flatMap((file) => {
      return readText(file).includes(`-address\0${this.socket}`) ? file.split("/")[2]! : [];
    });
    return [...new Set([...inGroups, ...shims])].map(Number);
  }
}

/** The folders of cgroups: one, or one for each hierarchy. */
function hierarchies(): string[] {
  const top = "/sys/fs/cgroup";
  return existsSync(join(top, "cgroup.controllers"))
    ? [top]
    : globSync(`${top}/*/cgroup.procs`).map((file) => dirname(file));
}

/** The API path for a manifest's kind. */
function collection({ apiVersion, kind, metadata: { namespace } }: Manifest): string {
  const base = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${base}${namespace ? `/namespaces/${namespace}` : ""}/${kind.toLowerCase()}s`;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return ""; // ended a moment ago
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended a moment ago.
  }
}
