// The page: the frame around the screens, and the choice of the screen.
import "uplot/dist/uPlot.min.css";
import "./app.css";
import { render } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { Findings, Meta } from "../../store/answers.ts";
import { admit, agent, trouble, useData } from "./data.ts";
import { Help, Notice, Rail, SCREENS, Top, Trouble, useKeys } from "./parts/chrome.tsx";
import { Strip } from "./parts/strip.tsx";
import { AgentScreen } from "./screens/agent.tsx";
import { Connection } from "./screens/connection.tsx";
import { Connections } from "./screens/connections.tsx";
import { HostScreen } from "./screens/host.tsx";
import { Latency } from "./screens/latency.tsx";
import { Listeners } from "./screens/listeners.tsx";
import { LossesScreen } from "./screens/losses.tsx";
import { Overview } from "./screens/overview.tsx";
import { Topology } from "./screens/topology.tsx";
import { knownSince, path } from "./state.ts";

function App() {
  const [help, setHelp] = useState(false);
  useKeys(() => setHelp(true));
  const meta = useData<Meta>("meta", false).value;
  const findings = useData<Findings>("findings", false).value;
  const { calm: keptFrom = undefined, sums = undefined } = meta.state === "ready" ? meta.data.keptFrom : {};
  useEffect(() => {
    if (meta.state === "ready") agent.value = meta.data.agent;
  }, [meta]);
  // Before any request, otherwise every request would be made twice.
  useMemo(() => sums !== undefined && knownSince(sums), [sums]);
  if (meta.state === "loading" && trouble.value === undefined) return null;
  return (
    <div class="app">
      <Rail meta={meta} findings={findings.state === "ready" ? findings.data.findings.length : 0} />
      <main class={trouble.value ? "stale" : ""}>
        <Top />
        <Strip keptFrom={keptFrom} />
        <Trouble />
        <Notice meta={meta} />
        <Heading />
        <Screen findings={findings} />
      </main>
      {help && <Help onClose={() => setHelp(false)} />}
    </div>
  );
}

/** For users who do not see the rail. A connection has its own heading. */
function Heading() {
  const screen = SCREENS.find(([to]) => to === path.value);
  return screen ? <h1 class="hidden">{screen[1]}</h1> : null;
}

function Screen(props: { findings: Parameters<typeof Overview>[0]["findings"] }) {
  switch (path.value) {
    case "/":
      return <Overview findings={props.findings} />;
    case "/connections":
      return <Connections />;
    case "/latency":
      return <Latency />;
    case "/topology":
      return <Topology />;
    case "/losses":
      return <LossesScreen />;
    case "/listeners":
      return <Listeners />;
    case "/host":
      return <HostScreen />;
    case "/agent":
      return <AgentScreen />;
    default:
      return path.value.startsWith("/c/") ? <Connection /> : <p class="state">There is no such screen.</p>;
  }
}

await admit();
render(<App />, document.body);
