#!/usr/bin/env node
import "./check-node.mjs";
import { existsSync } from "fs";
import { fileURLToPath } from "url";

var main = new URL("../dist/cli/main.js", import.meta.url);

if (existsSync(fileURLToPath(main))) {
  import(main.href).then((module) => module.main(process.argv.slice(2)));
} else {
  console.error('NOT_BUILT: Cannot start troupe: it is not compiled yet. Fix: run "npm run build" in the repository');
  process.exitCode = 2;
}
