#!/usr/bin/env node
// The Solidity compiler from the npm registry behind the two calls that ape, py-solc-x and forge make of a solc binary.
const path = require("path");
const solc = require(require.resolve("solc", { paths: [__dirname, path.join(__dirname, ".."), process.cwd()] }));
const args = process.argv.slice(2);
if (args.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version().replace("Emscripten.clang", "Linux.g++")}`);
} else if (args.includes("--standard-json")) {
  const input = require("fs").readFileSync(0, "utf8");
  process.stdout.write(solc.compile(input));
} else {
  console.error("solc.js answers --version and --standard-json only");
  process.exit(1);
}
