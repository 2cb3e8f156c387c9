// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written so
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { configOf, effectOf, faultsOf } from "../test/support/config.ts";

const SECRET = "hunter2-4711";

describe("secrets in the configuration", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-secrets-"));
    writeFileSync(join(folder, "token"), `${SECRET}\n`);
  });
  after(() => rmSync(folder, { recursive: true }));

  const exporter = (fields: string) => `exporters: {a: {type: otlp_grpc, ${fields}}}`;

  it("come from the environment, whole or within a text", () => {
    const yaml = `ids: {salt: "\${env:SALT}"}\n${exporter('headers: {authorization: "Bearer ${env:TOKEN}"}')}`;
    const config = configOf({ yaml, env: { SALT: "s", TOKEN: SECRET } });
    assert.equal(config.ids.salt, "s");
    const { a } = config.exporters;
    assert(a?.type === "otlp_grpc");
    assert.deepEqual(a.headers, { authorization: `Bearer ${SECRET}` });
  });

  it("come from a file, without the line's end", () => {
    assert.equal(configOf({ yaml: `ids: {salt: "file:${folder}/token"}` }).ids.salt, SECRET);
    assert.equal(configOf({ env: { WIRESPAN_IDS_SALT: `file:${folder}/token` } }).ids.salt, SECRET);
  });

  it("are reported by their key if they are missing", () => {
    const yaml = `ids: {salt: "\${env:NOPE}"}\nservice: {name: "file:/no/file"}\nlog: {level: "\${HOME}"}`;
    assert.deepEqual(faultsOf({ yaml }), [
      "wirespan.yaml:1: ids.salt: the environment has no variable NOPE",
      "wirespan.yaml:2: service.name: cannot read the file /no/file: there is no such file",
      "wirespan.yaml:3: log.level: ${HOME} is not a valid reference; write ${env:NAME}",
    ]);
  });

  it("are resolved once: references in their values are not", () => {
    const config = configOf({ yaml: 'service: {name: "${env:A}"}', env: { A: "file:/etc/passwd" } });
    assert.equal(config.service.name, "file:/etc/passwd");
  });

  it("are never shown, nor are values that came through a reference", () => {
    const yaml = `ids: {salt: ${SECRET}}\nservice: {name: "\${env:TOKEN}"}\n${exporter(
      `headers: {k: ${SECRET}}, endpoint: "https://me:${SECRET}@host:1/otlp?key=${SECRET}"`,
    )}`;
    const config = configOf({ yaml, env: { TOKEN: SECRET } });
    assert.equal(effectOf(config, "ids.salt").shown, "***");
    assert.equal(effectOf(config, "service.name").shown, "***");
    assert.equal(effectOf(config, "exporters.a.endpoint").shown, "https://***@host:1/otlp?***");
    assert(!inspect(config.effective, { depth: 9 }).includes(SECRET));
  });

  it("do not appear in error messages", () => {
    const env = {
      TOKEN: SECRET,
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://h:1",
      OTEL_EXPORTER_OTLP_HEADERS: SECRET,
    };
    const yaml = `log: {level: "\${env:TOKEN}"}\n${exporter(`headers: [${SECRET}], endpoint: "//u:${SECRET}@host"`)}`;
    const faults = faultsOf({ yaml, env });
    assert.equal(faults.length, 4, faults.join("\n"));
    assert(!faults.join("\n").includes(SECRET), faults.join("\n"));
    assert(
      !faultsOf({ yaml: `ids: {salt: ${SECRET}\n a: [}` })
        .join("\n")
        .includes(SECRET),
    );
  });
});
