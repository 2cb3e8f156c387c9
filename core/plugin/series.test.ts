import assert from "node:assert/strict";
import { networkType, seriesFrom } from "./series.ts";

const resource = { attributes: { "service.name": "web" } };
const series = seriesFrom((number) => ({
  number,
  resource: number ? resource : undefined,
  executable: "nginx",
  series: { "process.executable.name": "nginx" },
}));

describe("the series of a sum's key", () => {
  it("has the workload's attributes and resource, the family and the direction", () => {
    assert.deepEqual(series({ workload: 7, family: 6 }, "inbound"), {
      attributes: {
        "process.executable.name": "nginx",
        "network.type": "ipv6",
        "wirespan.connection.direction": "inbound",
      },
      resource,
    });
  });

  it("is the host's without family and direction if the key has neither", () => {
    const { attributes, resource: host } = series({ workload: 0 });
    assert.deepEqual(
      [host, attributes["network.type"], attributes["wirespan.connection.direction"]],
      [undefined, undefined, undefined],
    );
  });

  it("has no network type for a family that is not known", () => {
    assert.deepEqual([4, 6, 0, undefined].map(networkType), ["ipv4", "ipv6", undefined, undefined]);
  });
});
