#!/usr/bin/env node
// The npm package's command. Any Node can read it, and it reports if Node is too old for the rest.
"use strict";
var path = require("path");

function leave(text) {
  process.stderr.write("wirespan: " + text + "\n");
  process.exit(2);
}

var root = path.dirname(__dirname);
var binary = "wirespan-linux-" + process.arch;

if (parseInt(process.versions.node, 10) < 24) {
  leave("Node " + process.versions.node + " is too old: wirespan requires Node 24 or later.");
}
var isThere = [binary, binary + "-musl"].some(function (name) {
  try {
    return require.resolve(name + "/wirespan.node");
  } catch (error) {
    return false;
  }
});
if (!isThere) {
  leave(
    "the package " + binary + " is not installed, nor " + binary + "-musl; install the one for this C library together with wirespan.",
  );
}
var flags = require("fs").readFileSync(path.join(root, "cli/node-flags"), "latin1").trim().split(" ");
var main = path.join(root, "cli/start.cjs");
// Not $HOME: under sudo it may be the home of another user, who must not supply code.
try {
  process.env.CACHE_DIRECTORY = process.env.CACHE_DIRECTORY || path.join(require("os").userInfo().homedir, ".cache/wirespan");
} catch (error) {
  // The user has no entry: nothing is kept.
}
// Replaces this process, so that signals and the exit code are the agent's.
process.execve(
  process.execPath,
  [process.execPath].concat(flags, main, process.argv.slice(2)),
  process.env,
);
