import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WirespanError } from "../plugin/errors.ts";
import { importPlugin, importPlugins, installedPlugins, requireInstalled } from "./discover.ts";

const isError = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof WirespanError && error.code === code && message.test(error.message);

describe("discovered plugins", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-plugins-"));
    const files = {
      good: 'export default { name: "good" };',
      misnamed: 'export default { name: "other" };',
      nothing: "export const a = 1;",
      broken: 'throw new Error("broken at import");',
    };
    for (const [name, source] of Object.entries(files)) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "index.ts"), source);
    }
    mkdirSync(join(folder, "docs"));
    writeFileSync(join(folder, "README.md"), "");
  });
  after(() => rmSync(folder, { recursive: true }));

  it("are the folders with an index, in order", () => {
    assert.deepEqual(installedPlugins(folder), ["broken", "good", "misnamed", "nothing"]);
  });

  it("fail independently of each other", async () => {
    const { plugins, failed } = await importPlugins(installedPlugins(folder), folder);
    assert.deepEqual(
      plugins.map(({ name }) => name),
      ["good"],
    );
    assert.deepEqual(
      failed.map(({ name }) => name),
      ["broken", "misnamed", "nothing"],
    );
  });

  it("must have the name of their folder", async () => {
    await assert.rejects(
      importPlugin("misnamed", folder),
      isError("PLUGIN_INVALID", /misnamed is named other;/),
    );
    await assert.rejects(
      importPlugin("nothing", folder),
      isError("PLUGIN_INVALID", /has no default export that is a plugin/),
    );
  });

  it("keep the cause of a failure", async () => {
    const error = await importPlugin("broken", folder).catch((caught: unknown) => caught);
    assert(error instanceof WirespanError);
    assert.match(error.detail ?? "", /broken at import/);
  });

  it("are suggested for a misspelled name", () => {
    requireInstalled("good", folder);
    assert.throws(
      () => requireInstalled("god", folder),
      isError("USAGE", /called god; did you mean good\?$/),
    );
    assert.throws(
      () => requireInstalled("zzzzzzzz", folder),
      isError("USAGE", /; wirespan plugins lists them\.$/),
    );
  });
});
