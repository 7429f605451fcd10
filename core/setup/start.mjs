// `npm start`: set up what is missing, then be the command line. Syntax as in check-node.mjs.
import "../bin/check-node.mjs";

// In this same process, so that its exit code, its signals and its terminal are the command's own.
import("./set-up.mjs")
  .then((module) => module.setUp(module.RUNTIME_PROJECTS))
  .then((isReady) => (isReady ? import("../bin/troupe.mjs") : undefined));
