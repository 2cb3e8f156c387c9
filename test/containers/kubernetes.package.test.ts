// The chart in a real cluster of one node: accepted by the API server as it is, and its pod run by a kubelet.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { cgroupFacts } from "../../core/identity/cgroup.ts";
import { Containerd } from "../../core/identity/names/containerd.ts";
import packageJson from "../../package.json" with { type: "json" };
import { chart } from "../../tools/package/chart.ts";
import { images } from "../../tools/package/image.ts";
import { ociArchive } from "../../tools/package/oci.ts";
import { startCollector } from "../backend/collector.ts";
import { needBackends } from "../backend/find.ts";
import { type Row, startAgent } from "../support/agent.ts";
import { needsRoot } from "../support/netns.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { installLines } from "../support/readme.ts";
import { root } from "../support/scratch-clone.ts";
import { until } from "../support/until.ts";
import { APPLICATION } from "./application.ts";
import { Cluster, type Manifest, NODE } from "./cluster.ts";
import { schemaFaults } from "./openapi.ts";
import { type Owner, ownersOf } from "./owned.ts";
import { kubernetesProgram } from "./programs.ts";

const NAMESPACE = "wirespan";
const HASH = "5d4f8c7b9";
const BUSY = `setInterval(() => {${APPLICATION}}, 1000)`;

function manifest(
  apiVersion: string,
  kind: string,
  name: string,
  more: object,
  metadata: object = {},
): Manifest {
  return { apiVersion, kind, metadata: { name, namespace: NAMESPACE, ...metadata }, ...more };
}

/** A pod of the node; `owner`: the object for which a controller would have created it. */
function pod(name: string, spec: object, owner?: Manifest): Manifest {
  const metadata = { labels: { "pod-template-hash": HASH }, ...(owner && ownedBy(owner)) };
  return manifest("v1", "Pod", name, { spec: { nodeName: NODE, ...spec } }, metadata);
}

function ownedBy({ apiVersion, kind, metadata: { name, uid } }: Manifest): object {
  return { ownerReferences: [{ apiVersion, kind, name, uid, controller: true }] };
}

/** A pod that runs the script under its name as the service, in the agent's own image for root. */
function application(name: string, owner?: Manifest, script = APPLICATION): Manifest {
  const app = {
    name: "app",
    image: `localhost/wirespan:${packageJson.version}-root`,
    imagePullPolicy: "Never",
    command: ["/usr/lib/wirespan/node", "--eval", script],
    env: [{ name: "OTEL_SERVICE_NAME", value: name }],
    securityContext: { runAsUser: 1234, allowPrivilegeEscalation: false },
  };
  return pod(name, { containers: [app], automountServiceAccountToken: false }, owner);
}

/** The names of an application's pod and of its owner. */
function namesOf(owner: Owner): object {
  const kinds = /^k8s\.(pod|namespace|deployment|node|container)\.(name|uid)$/;
  return Object.fromEntries(Object.entries(owner).filter(([key]) => kinds.test(key)));
}

const podOf = (pid: number) => cgroupFacts(readFileSync(`/proc/${pid}/cgroup`, "utf8")).podUid;

/** The processor as in the guide. */
function recipe(): Record<string, unknown> {
  const guide = readFileSync(join(root, "docs/kubernetes.md"), "utf8");
  const block = [...guide.matchAll(/```yaml\n(.*?)```/gs)].find(([, text]) =>
    text!.includes("k8sattributes"),
  );
  return parse(block![1]!).processors.k8sattributes;
}

describe("the chart in a cluster", function () {
  this.timeout(600_000);
  const resources = new AsyncDisposableStack();
  let cluster: Cluster;
  let helm = "";

  const rendered = (release: string, ...values: string[]): Manifest[] => {
    const args = ["template", release, join(root, "packaging/chart"), "--namespace", NAMESPACE];
    const text = execFileSync(helm, [...args, ...values.flatMap((value) => ["--set", value])], {
      encoding: "utf8",
    });
    return parseAllDocuments(text).flatMap((document) => (document.toJS() as Manifest | null) ?? []);
  };

  /** A pod according to the kubelet: its uid and the ids of its containers. */
  const known = async (name: string) => {
    const { items } = (await cluster.pods()).body;
    const found = items?.find((each: Manifest) => each.metadata.name === name);
    const ids: string[] = (found?.status.containerStatuses ?? []).flatMap(
      ({ containerID }: { containerID?: string }) => containerID?.replace("containerd://", "") ?? [],
    );
    return { uid: found?.metadata.uid as string, ids };
  };

  /** A Deployment with its ReplicaSet, as their controllers would make them: the latter. */
  const deployed = async (name: string): Promise<Manifest> => {
    const labels = { app: name };
    const template = { metadata: { labels }, spec: application(name).spec };
    const spec = { replicas: 1, selector: { matchLabels: labels }, template };
    const deployment = await cluster.make(manifest("apps/v1", "Deployment", name, { spec }));
    const set = manifest("apps/v1", "ReplicaSet", `${name}-${HASH}`, { spec }, ownedBy(deployment));
    return cluster.make(set);
  };

  before(async function () {
    needsRoot(this);
    helm = kubernetesProgram(this, "helm");
    cluster = resources.use(new Cluster(this));
    await cluster.startApi();
    const labels = { "pod-security.kubernetes.io/enforce": "privileged" };
    await cluster.make({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, labels } });
    // Objects that controllers would create.
    await cluster.make(manifest("v1", "ServiceAccount", "default", {}));
    const data = { "ca.crt": readFileSync(join(cluster.folder, "ca.pem"), "utf8") };
    await cluster.make(manifest("v1", "ConfigMap", "kube-root-ca.crt", { data }));
  });
  after(() => resources.disposeAsync());

  for (const [what, ...values] of [
    ["its own values"],
    [
      "the kubelet's names, a cluster and headers",
      ...["kubelet.enabled=true", "cluster=blue", "otlp.headersSecret.name=s", "otlp.headersSecret.key=k"],
    ],
    ["root and two capabilities", "runAsNonRoot=false", "capabilities={BPF,PERFMON}"],
    [
      "what an administrator may add",
      ...["priorityClassName=system-node-critical", "nodeSelector.disk=ssd", "image.pullSecrets={one,two}"],
      ...["podAnnotations.team=net", `image.digest=sha256:${"0".repeat(64)}`, "tolerations[0].key=a"],
      ...["tolerations[0].operator=Exists", "resources.limits.memory=1Gi", "config.log.level=debug"],
    ],
  ] as const) {
    it(`is accepted by a strict dry run with ${what}`, async () => {
      for (const each of rendered("dry", ...values)) {
        const { status, body } = await cluster.post(each, "dryRun=All&fieldValidation=Strict");
        assert.equal(status, 201, body.message);
      }
    });

    it(`conforms to the API's own schema, without unknown fields, with ${what}`, async () => {
      for (const each of rendered("dry", ...values))
        assert.deepEqual(await schemaFaults(cluster, each), [], each.kind);
    });
  }

  it("would fail that schema with a wrong type or an unknown field", async () => {
    const set = rendered("dry").find(({ kind }) => kind === "DaemonSet")!;
    const wrong = { ...set, spec: { ...(set.spec as object), minReadySeconds: "10", replicas: 1 } };
    const faults = await schemaFaults(cluster, wrong);
    assert.deepEqual(faults.sort(), [
      "/spec must NOT have additional properties: replicas",
      "/spec/minReadySeconds must be integer",
    ]);
  });

  it("is installed with the README's two commands", () => {
    chart(cluster.folder);
    symlinkSync(helm, join(cluster.folder, "helm"));
    const PATH = `${cluster.folder}:${process.env.PATH}`;
    const env = { ...process.env, PATH, KUBECONFIG: cluster.kubeconfig, HOME: cluster.folder };
    const said = execFileSync(
      "sh",
      ["-ec", installLines("Kubernetes").replaceAll("dist/packages", cluster.folder)],
      {
        env,
        encoding: "utf8",
      },
    );
    assert.match(said, /^STATUS: deployed$/m);
  });

  describe("on a node", () => {
    before(async () => {
      const [forOthers, forRoot] = await images();
      const Entrypoint = ["/usr/lib/wirespan/node", "--eval", "setInterval(() => {}, 1e9)"];
      const pause = { ...forRoot!, name: "localhost/pause:1", config: { ...forRoot!.config, Entrypoint } };
      const archives = [forOthers!, forRoot!, pause].map((image, i) => {
        const path = join(cluster.folder, `${i}.tar`);
        writeFileSync(path, ociArchive(image));
        return path;
      });
      await cluster.startNode(archives, pause.name);
    });

    /**
     * Creates what the chart creates, and the pod that a controller would create for it; resolves when the agent has
     * sent metrics (`heard`). The pod ends with the test.
     */
    async function install(
      release: string,
      { endpoint, heard }: { readonly endpoint: string; readonly heard: () => Promise<boolean> | boolean },
      ...values: string[]
    ): Promise<AsyncDisposable> {
      const settings = [`otlp.endpoint=${endpoint}`, "otlp.protocol=http/protobuf", ...values];
      const made: Manifest[] = [];
      for (const each of rendered(release, "config.metrics.interval=500ms", ...settings))
        made.push(await cluster.make(each));
      const set = made.find(({ kind }) => kind === "DaemonSet") as Manifest & {
        spec: { template: Manifest };
      };
      const name = `${release}-agent`;
      await cluster.make(pod(name, set.spec.template.spec as object, set));
      await until(`${name} to send metrics`, heard, 60_000);
      return {
        async [Symbol.asyncDispose]() {
          await cluster.delete(`/api/v1/namespaces/wirespan/pods/${name}?gracePeriodSeconds=0`);
        },
      };
    }

    const listening = (sink: OtlpSink) => ({ endpoint: sink.endpoint, heard: () => sink.metrics.length > 0 });

    /** The Resources of an application's spans, when all have arrived. */
    const connections = (owners: () => readonly Owner[] | Promise<readonly Owner[]>, service: string) =>
      until(
        `both ends of twenty connections of ${service}`,
        async () => {
          const found = (await owners()).filter((owner) => owner["service.name"] === service);
          return found.length === 40 && found;
        },
        60_000,
      );

    it("runs unprivileged, and reports two pods' connections with the kubelet's ids", async () => {
      await using sink = await OtlpSink.start("http");
      await using _ = await install("plain", listening(sink), "cluster=blue");
      for (const name of ["one", "two"]) await cluster.make(application(name));
      for (const name of ["one", "two"]) {
        const owners = await connections(() => ownersOf(sink, "tcp connection"), name);
        const { uid, ids } = await known(name);
        assert.equal(ids.length, 1);
        for (const owner of owners) {
          assert.equal(owner["container.id"], ids[0]);
          assert.equal(owner["k8s.pod.uid"], uid);
          assert.equal(owner["k8s.node.name"], NODE);
          assert.equal(owner["k8s.cluster.name"], "blue");
          assert.equal(owner["k8s.pod.name"], undefined);
        }
      }
    });

    it("names pods, their owners and containers from the kubelet's list, with the permissions of its role", async () => {
      await using sink = await OtlpSink.start("http");
      const url = `https://127.0.0.1:${cluster.kubeletPort}`;
      await using _ = await install("asking", listening(sink), "kubelet.enabled=true", `kubelet.url=${url}`);
      // It connects as soon as it runs, when the last request to the kubelet was made before its creation.
      await cluster.make(application("cart-1", await deployed("cart")));
      const owners = await connections(() => ownersOf(sink, "tcp connection"), "cart-1");
      const { uid } = await known("cart-1");
      const named = {
        "k8s.pod.name": "cart-1",
        "k8s.pod.uid": uid,
        "k8s.namespace.name": NAMESPACE,
        "k8s.deployment.name": "cart",
        "k8s.node.name": NODE,
        "k8s.container.name": "app",
      };
      for (const owner of owners) assert.deepEqual(namesOf(owner), named);
      const closed = () => ownersOf(sink, "wirespan.tcp.connection.closed");
      const ofPod = () => closed().filter((owner) => owner["k8s.pod.uid"] === uid);
      await until("its sums", () => ofPod().length > 2);
      for (const owner of ofPod()) assert.deepEqual(namesOf(owner), named);
    });

    it("gets its pods' names from a Collector with the processor of docs/kubernetes.md", async function () {
      needBackends(this, "collector-k8s");
      process.env.KUBECONFIG = cluster.kubeconfig;
      await using collector = await startCollector("collector-k8s", {
        k8sattributes: { ...recipe(), auth_type: "kubeConfig", wait_for_metadata: true },
      });
      await using _ = await install("collected", {
        endpoint: collector.http,
        heard: async () => (await collector.metrics()).length > 0,
      });
      await cluster.make(application("shop-1", await deployed("shop")));
      const owners = async () => {
        const spans = (await collector.spans()).filter(({ item }) => item.name === "tcp connection");
        return spans.map(({ resource }) => resource);
      };
      const [owner] = await connections(owners, "shop-1");
      assert.deepEqual(namesOf(owner!), {
        "k8s.pod.name": "shop-1",
        "k8s.pod.uid": (await known("shop-1")).uid,
        "k8s.namespace.name": NAMESPACE,
        "k8s.deployment.name": "shop",
        "k8s.node.name": NODE,
      });
    });

    it("finds the same names with containerd, so that `trace` can select a pod by name", async () => {
      for (const name of ["asked", "other"]) await cluster.make(application(name, undefined, BUSY));
      await until("its container", async () => (await known("asked")).ids.length === 1, 60_000);
      const { ids, uid } = await known("asked");
      const { containers } = await new Containerd(cluster.socket).ask();
      assert.deepEqual(containers.get(ids[0]!), {
        "k8s.pod.name": "asked",
        "k8s.namespace.name": NAMESPACE,
        "k8s.container.name": "app",
      });
      /** The pods in the rows, once there are enough rows from that many pods. */
      const traced = async (count: number, ...args: string[]) => {
        const asking = `identity.containerd.socket=${cluster.socket}`;
        await using agent = await startAgent(["trace", "tcplife", "--json", "--set", asking, ...args]);
        const pods = (rows: readonly Row[]) => new Set(rows.map((row) => podOf(Number(row["process.pid"]))));
        return pods(await agent.until((rows) => rows.length >= 20 && pods(rows).size >= count));
      };
      assert.deepEqual(await traced(1, "--pod", `${NAMESPACE}/asked`), new Set([uid]));
      assert.deepEqual(await traced(1, "--pod", uid), new Set([uid]));
      const both = [uid, (await known("other")).uid].sort();
      assert.deepEqual([...(await traced(2, "--container", "app"))].sort(), both);
    });
  });
});
