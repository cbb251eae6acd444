#!/usr/bin/env node
// The Solidity compiler from the npm registry behind the two calls that ape, py-solc-x and forge make of a solc binary.
const fs = require("fs");
const path = require("path");
const solc = require(require.resolve("solc", { paths: [__dirname, path.join(__dirname, ".."), process.cwd()] }));
const args = process.argv.slice(2);

// Imports that the request doesn't carry (ape leaves OpenZeppelin out) are read from the base path or from here.
function readImport(name) {
  const base = args.includes("--base-path") ? [args[args.indexOf("--base-path") + 1]] : [];
  const file = [...base, process.cwd()].map((folder) => path.join(folder, name)).find((each) => fs.existsSync(each));
  return file ? { contents: fs.readFileSync(file, "utf8") } : { error: `not found: ${name}` };
}

if (args.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version().replace("Emscripten.clang", "Linux.g++")}`);
} else if (args.includes("--standard-json")) {
  process.stdout.write(solc.compile(fs.readFileSync(0, "utf8"), { import: readImport }));
} else {
  console.error("solc.js answers --version and --standard-json only");
  process.exit(1);
}
