// A training run behind HTTP, on this machine alone.
//
//     node examples/dist/embedding/http-server.js [PORT]
//     curl -N localhost:PORT/events                                            every event, as it happens
//     curl localhost:PORT/progress                                             how far it is
//     curl -X POST localhost:PORT/plugins -d '{"verb":"load","use":"shorterbetter"}'   a change of plugins
//     curl -X POST localhost:PORT/pause    curl -X POST localhost:PORT/run
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { createRuntime, TroupeError } from "@troupe/core";

const here = (path: string): string =>
  fileURLToPath(new URL(path, import.meta.resolve("@troupe/examples/package.json")));

const runtime = await createRuntime({
  config: {
    name: "served",
    policy: { from: here("policies/tiny") },
    environment: { use: "arithmetic", with: { minSteps: 1, maxSteps: 1, modulus: 3 } },
    plugins: ["grpo"],
    train: { steps: 1000, promptsPerStep: 4, groupSize: 4 },
    rollout: { maxTokens: 24 },
    eval: { tasks: 4, every: 0 },
  },
});
let work: Promise<unknown> | undefined;
let failure: string | undefined;

const routes: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => Promise<unknown>>> = {
  "GET /progress": async () => ({
    progress: runtime.progress(),
    working: work !== undefined,
    failure,
    run: runtime.directory.path,
  }),
  "POST /run": async () => {
    failure = undefined;
    // Nobody waits for a run here: what ends it is told by /progress.
    work ??= runtime
      .run()
      .catch((error: unknown) => (failure = String(error)))
      .finally(() => (work = undefined));
    return { started: true };
  },
  "POST /pause": async () => {
    runtime.pause();
    await work;
    return { paused: true };
  },
  // The runtime checks what is asked for, and refuses with a reason what cannot be done.
  "POST /plugins": async (request) => runtime.changePlugins(JSON.parse(await bodyOf(request))),
  "GET /events": async (request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.flushHeaders();
    const events = runtime.events()[Symbol.asyncIterator]();
    request.on("close", () => void events.return?.());
    for (let next = await events.next(); !next.done; next = await events.next())
      response.write(`event: ${next.value.type}\ndata: ${JSON.stringify(next.value)}\n\n`);
    response.end();
    return undefined;
  },
};

const server = createServer((request, response) => {
  const route = routes[`${request.method} ${request.url}`];
  if (!route) {
    response.writeHead(404).end(`there are: ${Object.keys(routes).join(", ")}\n`);
    return;
  }
  route(request, response).then(
    (answer) =>
      answer !== undefined &&
      response.writeHead(200, { "content-type": "application/json" }).end(`${JSON.stringify(answer)}\n`),
    (error: unknown) => {
      const known = error instanceof TroupeError ? { code: error.code, hint: error.hint } : {};
      response
        .writeHead(400, { "content-type": "application/json" })
        .end(`${JSON.stringify({ error: String(error), ...known })}\n`);
    },
  );
});

server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  const address = server.address();
  console.log(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
});
process.once("SIGTERM", () => {
  runtime.pause();
  server.close();
  void Promise.resolve(work)
    .then(() => runtime.close())
    .then(() => process.exit(0));
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    // No change is that long; what is cut is no JSON, and refused as such.
    if (text.length > 1e6) break;
  }
  return text;
}
