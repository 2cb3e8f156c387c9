// How the engine and its parts are created: the part of the composition that `trace`, `doctor` and the agent share.
// Tests: agent/composition.kernel.test.ts, and every test that uses test/support/engine.ts.
import type { Config } from "../config/config.ts";
import { Container } from "../core/base/container.ts";
import { VERSION } from "../core/base/version.ts";
import { BootClock } from "../core/bridge/clock.ts";
import { createKernel } from "../core/bridge/kernel.ts";
import { ConnectionSpans } from "../core/engine/connection-spans.ts";
import { Engine } from "../core/engine/engine.ts";
import { parts } from "../core/engine/parts.ts";
import { Sampling } from "../core/engine/sampling.ts";
import { hostAddress, hostAttributes, hostResource, ofHost } from "../core/identity/host.ts";
import { Identity } from "../core/identity/identity.ts";
import { Names } from "../core/identity/names/names.ts";
import { sourcesOf } from "../core/identity/names/sources.ts";
import { NetnsNames } from "../core/identity/netns-names.ts";
import { Proc } from "../core/identity/proc.ts";
import { argumentPatterns, parseRule } from "../core/identity/rules.ts";
import type { Log } from "../core/plugin/log.ts";
import type { Plugin } from "../core/plugin/plugin.ts";
import { seriesFrom } from "../core/plugin/series.ts";
import { services } from "../core/plugin/services.ts";
import { type Native, native as real } from "../native/index.ts";

export interface EngineSettings {
  readonly config: Config;
  readonly plugins: readonly Plugin[];
  readonly log: Log;
  readonly native?: Native;
}

/** A container whose `parts.engine` is the engine, attached; disposing of the container closes it. */
export function engineParts({ config, plugins, log, native = real }: EngineSettings): Container {
  return new Container()
    .provide(parts.config, () => config)
    .provide(parts.plugins, () => plugins)
    .provide(parts.native, () => native)
    .provide(parts.log, () => log)
    .provide(parts.clock, (from) => new BootClock(from.resolve(parts.native)))
    .provide(parts.namespaces, namespacesOf)
    .provide(parts.hostAttributes, hostAttributesOf)
    .provide(parts.hostResource, (from) =>
      hostResource(from.resolve(parts.hostAttributes), from.resolve(parts.config).service.name),
    )
    .provide(parts.names, namesOf, (names) => names[Symbol.dispose]())
    .provide(parts.identity, identityOf)
    .provide(parts.spans, spansOf)
    .provide(
      parts.engine,
      async (from) => {
        await from.resolve(parts.names).start();
        return Engine.attach(from);
      },
      (engine) => engine.close(),
    )
    .provide(services.clock, (from) => from.resolve(parts.clock))
    .provide(services.identity, (from) => from.resolve(parts.identity))
    .provide(services.series, (from) => {
      const identity = from.resolve(parts.identity);
      return seriesFrom((number) => identity.workload(number));
    })
    .provide(services.namespaces, (from) => from.resolve(parts.namespaces))
    .provide(services.connections, (from) => from.resolve(parts.spans))
    .provide(services.pids, (from) => from.resolve(parts.tracker).pids)
    .provide(services.kernel, (from) =>
      createKernel(from.resolve(parts.native), (context) =>
        from.resolve(parts.tracker).loaded.object.run("name_address", context),
      ),
    );
}

function namespacesOf(from: Container): NetnsNames {
  const native = from.resolve(parts.native);
  return new NetnsNames((fd) => native.netnsCookie(fd));
}

function hostAttributesOf(from: Container) {
  const { resource } = from.resolve(parts.config);
  return ofHost({ ...hostAttributes(), ip: hostAddress(), ...resource.attributes });
}

function namesOf(from: Container): Names {
  return new Names(sourcesOf(from.resolve(parts.config).identity), from.resolve(parts.log));
}

function identityOf(from: Container): Identity {
  const tracker = from.resolve(parts.tracker);
  const log = from.resolve(parts.log);
  const names = from.resolve(parts.names);
  const rules = from
    .resolve(parts.config)
    .identity.names.map(parseRule)
    .filter((rule) => typeof rule !== "string");
  const proc = new Proc("/proc", {
    patterns: argumentPatterns(rules),
    shiftNs: from.resolve(parts.native).bootShift(),
    numberOf: (pid) => tracker.pids.inProc(pid),
  });
  return new Identity(proc, from.resolve(parts.hostAttributes), {
    debug: (message) => log.debug({}, message),
    executables: tracker.executables,
    ...(names.hasSources && { names }),
    rules,
  });
}

function spansOf(from: Container): ConnectionSpans {
  const { connections, spans, correlate, sampling } = from.resolve(parts.config);
  return new ConnectionSpans(
    from.resolve(parts.sink),
    from.resolve(parts.clock),
    from.resolve(parts.identity),
    from.resolve(parts.namespaces),
    {
      scope: { name: "wirespan.connections", version: VERSION },
      host: from.resolve(parts.hostResource),
      peers: connections.peers,
      kind: spans.kind,
      inTraceRate: correlate.rate,
      sampling: new Sampling(sampling),
    },
  );
}
