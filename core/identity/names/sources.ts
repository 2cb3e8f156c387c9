// The configured sources of names.
import { Containerd } from "./containerd.ts";
import { Docker } from "./docker.ts";
import { Kubelet, type KubeletSettings } from "./kubelet.ts";
import type { Source } from "./names.ts";

/** Empty texts: not used. */
export interface NameSettings {
  readonly kubelet: KubeletSettings;
  readonly docker: { readonly socket: string };
  readonly containerd: { readonly socket: string };
}

export function sourcesOf({ kubelet, docker, containerd }: NameSettings): Source[] {
  return [
    ...(kubelet.url ? [new Kubelet(kubelet)] : []),
    ...(docker.socket ? [new Docker(docker.socket)] : []),
    ...(containerd.socket ? [new Containerd(containerd.socket)] : []),
  ];
}
