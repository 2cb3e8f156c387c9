// Container images as one file: an OCI layout (github.com/opencontainers/image-spec) in a tar archive, as `podman load`,
// `ctr images import` and `skopeo copy oci-archive:` read it. No daemon, no registry; the bytes depend on the content alone.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Entry, tar } from "./tar.ts";

export interface Image {
  /** The whole name, such as `localhost/wirespan:1.0`. */
  readonly name: string;
  readonly layers: readonly (readonly Entry[])[];
  readonly architecture: "amd64" | "arm64";
  readonly labels: Readonly<Record<string, string>>;
  readonly config: {
    readonly User: string;
    readonly Env: readonly string[];
    readonly Entrypoint: readonly string[];
  };
}

const digest = (bytes: Buffer): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const media = (kind: string): string => `application/vnd.oci.image.${kind}`;

/** An archive with this image only: `podman load` does not accept several in one. */
export function ociArchive({ name, layers, architecture, labels, config }: Image): Buffer {
  const blobs = new Map<string, Buffer>();
  const add = (kind: string, bytes: Buffer) => {
    blobs.set(digest(bytes), bytes);
    return { mediaType: media(kind), digest: digest(bytes), size: bytes.length };
  };
  const addJson = (kind: string, value: object) => add(kind, Buffer.from(JSON.stringify(value)));
  const archives = layers.map(tar);
  const manifest = addJson("manifest.v1+json", {
    schemaVersion: 2,
    mediaType: media("manifest.v1+json"),
    config: addJson("config.v1+json", {
      architecture,
      os: "linux",
      config: { ...config, WorkingDir: "/", Labels: labels },
      rootfs: { type: "layers", diff_ids: archives.map(digest) },
    }),
    layers: archives.map((archive) => add("layer.v1.tar+gzip", gzipSync(archive))),
    annotations: labels,
  });
  const index = {
    schemaVersion: 2,
    mediaType: media("index.v1+json"),
    manifests: [
      {
        ...manifest,
        platform: { architecture, os: "linux" },
        // containerd reads the first annotation, podman and skopeo the second.
        annotations: { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name },
      },
    ],
  };
  const file = (path: string, content: Buffer) => ({ path, mode: 0o644, content });
  return tar([
    file("oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}')),
    file("index.json", Buffer.from(JSON.stringify(index))),
    ...[...blobs].map(([hash, bytes]) => file(`blobs/${hash.replace(":", "/")}`, bytes)),
  ]);
}
