// `npm run build`, and what `npm test` does first: set up everything, tests too. Syntax as in check-node.mjs.
import "../bin/check-node.mjs";

import("./set-up.mjs").then((module) => module.setUp(module.ALL_PROJECTS));
