// The test suites, and how each of them runs. Tests: tools/suites.test.ts.

export interface Suite {
  readonly files: readonly string[];
  readonly except: readonly string[];
  readonly root: boolean;
  /** Files per process, with processes in parallel; absent: one process, alone. */
  readonly together?: number;
  /** Files that run alone, because they examine the whole host. */
  readonly alone?: readonly string[];
  /** The slowest files, which start first. */
  readonly first?: readonly string[];
  /** Starts the bundle, as users do, instead of the sources, in less than two thirds of the time. */
  readonly bundled?: boolean;
  /** With the addon's sanitizer build; without leak detection, which would report everything that V8 keeps. */
  readonly sanitized?: boolean;
}

const anywhere =
  "{core,agent,bpf,cli,config,dashboards,correlate/{go,node/test,python},exporters,plugins,store,tools,test,bench}/**";
export const suites: Readonly<Record<string, Suite>> = {
  unit: {
    files: [`${anywhere}/*.test.ts`],
    except: ["**/*.{kernel,backend,vm,package}.test.ts"],
    root: false,
    together: 8,
  },
  fuzz: {
    files: ["config/fuzz.test.ts", "core/bridge/skeletons.test.ts"],
    except: [],
    root: false,
  },
  sanitized: {
    files: ["native/**/*.test.ts"],
    except: ["native/leak.kernel.test.ts"],
    root: true,
    sanitized: true,
  },
  native: {
    files: ["native/**/*.test.ts"],
    except: [],
    root: true,
    together: 1,
    alone: ["native/leak.kernel.test.ts"],
  },
  kernel: {
    files: [`${anywhere}/*.kernel.test.ts`],
    // Half a minute for each of a dozen faults; store/findings/findings.test.ts also tests their rules.
    except: ["test/system/viewer-faults.kernel.test.ts"],
    root: true,
    together: 1,
    alone: [
      // Tests that count losses and interrupted programs of the whole host, or attach as many programs as a tracepoint allows.
      "core/engine/balance.kernel.test.ts",
      "test/system/{interrupted,parents,whole-agent}.kernel.test.ts",
    ],
    first: [
      "core/engine/{correlation,correlation.table,filter,sampling,threads}.kernel.test.ts",
      "plugins/{tcpconnect/tcpconnect,tcpdrop/listeners,tcplife/living,tcpretrans/tcpretrans}.kernel.test.ts",
      "test/system/{guide,reload,stuck,viewer}.kernel.test.ts",
    ],
    bundled: true,
  },
  // Tests with two sizes (test/support/long.ts), in the long form.
  long: {
    files: [
      "core/engine/correlation.{,events.,table.}kernel.test.ts",
      "exporters/{otlp/deliver/cancelled,sdk/differential}.test.ts",
      "test/system/correlate-*.kernel.test.ts",
      "test/backend/shop.backend.test.ts",
      "test/backend/outage.backend.test.ts",
      "test/system/viewer-{calm,faults}.kernel.test.ts",
      "test/system/viewer-flat.package.test.ts",
    ],
    except: [],
    root: true,
  },
  kernels: { files: ["test/kernels/*.vm.test.ts"], except: [], root: true },
  // Packages, built and installed without the rest of the project; and other tests that take minutes.
  package: { files: [`${anywhere}/*.package.test.ts`], except: [], root: true },
  backend: {
    files: [`${anywhere}/*.backend.test.ts`],
    except: [],
    root: false,
    together: 1,
    first: ["test/backend/{shop,outage}.backend.test.ts"],
    bundled: true,
  },
};
