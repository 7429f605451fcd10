import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { loadEnvironment } from "../../src/environments/environment-loader.js";
import { errors } from "../../src/errors.js";
import { checkToken } from "../../src/rpc/bearer-token.js";
import { serveOpenEnv } from "../../src/rpc/openenv-server.js";
import { pathOrName } from "../path-or-name.js";
import { settingsOf } from "../plugins/settings-of.js";
import { stopOnSignals } from "../stop-signals.js";
import { wholeNumber } from "../whole-number.js";

interface ServeFlags {
  readonly host: string;
  readonly port: string;
  readonly with?: string;
  readonly split: string;
  readonly seed: string;
  readonly capacity: string;
  readonly tokenFile?: string;
  readonly deadlineMs: string;
  readonly maxFrameKb: string;
}

/** How long answers under way have when the server is stopped. */
const GRACE_MS = 2000;

/** `troupe env serve`: an environment for programs that speak OpenEnv. */
export function defineEnvServe(command: Command, program: Command): void {
  command
    .command("serve")
    .description("offer an environment to other programs over WebSocket, as OpenEnv does")
    .argument("<environment>", "path or name")
    .option("--with <json>", "the environment's settings as a JSON object; its defaults unless given")
    .option("--host <host>", "where it listens", "127.0.0.1")
    .option("--port <port>", "port 0 takes a free one", "8480")
    .option("--split <split>", "tasks of train or of eval", "train")
    .option("--seed <number>", "seed of procedural tasks", "1")
    .option("--capacity <count>", "sessions at once", "1024")
    .option("--token-file <path>", "file with the token that clients must show; TROUPE_ENV_TOKEN unless given")
    .option("--deadline-ms <ms>", "what the environment may take for one answer", "30000")
    .option("--max-frame-kb <count>", "size of a client's frame at most, KiB", "1024")
    .addHelpText("after", HELP)
    .action(async (use: string, flags: ServeFlags) => {
      const isJson = program.opts<{ json?: boolean }>().json === true;
      const { split } = flags;
      if (split !== "train" && split !== "eval")
        throw errors.optionNotValid({ option: "--split", found: split, wanted: "train or eval" });
      const token = tokenOf(flags);
      const address = `${flags.host.includes(":") ? `[${flags.host}]` : flags.host}:${wholeNumber("--port", flags.port, 0)}`;
      checkToken(address, token);
      const baseDirectory = process.cwd();
      const settings = flags.with === undefined ? {} : settingsOf(flags.with);
      const environment = await loadEnvironment(pathOrName(use), settings, baseDirectory);
      const stop = stopOnSignals(() => {});
      try {
        const door = await serveOpenEnv({
          environment,
          baseDirectory,
          split,
          seed: wholeNumber("--seed", flags.seed, 0),
          address,
          ...(token === undefined ? {} : { token }),
          capacity: wholeNumber("--capacity", flags.capacity, 1),
          maxFrameBytes: 1024 * wholeNumber("--max-frame-kb", flags.maxFrameKb, 1),
          deadlineMs: wholeNumber("--deadline-ms", flags.deadlineMs, 1),
        });
        const url = `ws://${door.address}/ws`;
        const { name, version } = environment.definition;
        process.stdout.write(
          `${isJson ? JSON.stringify({ type: "listening", environment: name, version, url }) : `${name} ${version} at ${url}`}\n`,
        );
        if (!stop.signal.aborted)
          await new Promise((resolve) => stop.signal.addEventListener("abort", resolve, { once: true }));
        await door.close(GRACE_MS);
      } finally {
        stop.release();
      }
    });
}

const HELP = `
One connection to /ws is one session. Frames are JSON: {"type": "reset", "data": {"seed"?, "index"?, "episode_id"?}},
{"type": "step", "data": {"message": "what the policy says"}}, {"type": "state"}, {"type": "close"}. The answers are
{"type": "observation", "data": {"observation": {"messages", "task", "verdict"?}, "reward", "done"}}, {"type": "state",
"data": {"episode_id", "step_count"}} and {"type": "error", "data": {"message", "code"}}. The reward is the verdict's
score, null before the end and where the verifier abstains; an environment that fails is an error, never a reward of 0.
GET /schema has all of it as JSON Schema, GET /metadata the environment's name, GET /health whether it is there.

Without index or seed, resets take the tasks one after the other. Beyond loopback there must be a token of 16 characters
or more: "Authorization: Bearer TOKEN".

  troupe env serve guess-number --port 8480
  TROUPE_ENV_TOKEN=$(openssl rand -hex 16) troupe env serve ./my-environment --host 0.0.0.0`;

function tokenOf({ tokenFile }: ServeFlags): string | undefined {
  if (tokenFile === undefined) return process.env["TROUPE_ENV_TOKEN"];
  try {
    return readFileSync(tokenFile, "utf8").trim();
  } catch (cause) {
    const wanted = `a file that can be read (${String(cause)})`;
    throw errors.optionNotValid({ option: "--token-file", found: tokenFile, wanted });
  }
}
