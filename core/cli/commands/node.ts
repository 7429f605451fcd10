import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { listenNode } from "../../src/actors/node-server.js";
import type { NodeSecurity } from "../../src/actors/node-service.js";
import { errors } from "../../src/errors.js";
import { stopOnSignals } from "../stop-signals.js";

interface NodeFlags {
  readonly listen: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** `troupe node --listen HOST:PORT`: hosts actors of drivers on other machines until it is stopped. */
export function define(command: Command, program: Command): void {
  command
    .option("--listen <host:port>", "where to listen; port 0 takes a free one", "127.0.0.1:7077")
    .option("--token-file <path>", "file with the token that drivers must know; TROUPE_NODE_TOKEN unless given")
    .option("--ca <path>", "certificate (PEM) that must have signed a driver's own")
    .option("--cert <path>", "this node's certificate (PEM), signed by the drivers' ca")
    .option("--key <path>", "its private key (PEM)")
    .addHelpText(
      "after",
      `
Whoever can dial a node runs code on it. On 127.0.0.1 a token of at least 16 characters is enough; any other address
wants certificates on both sides. Actors end with the driver's link; Ctrl-C ends them and the node.

Example:
  TROUPE_NODE_TOKEN=$(openssl rand -hex 16) troupe node --listen 127.0.0.1:7077`,
    )
    .action(async (flags: NodeFlags) => {
      const isJson = program.opts<{ json?: boolean }>().json === true;
      const say = (record: { readonly type: string; readonly text: string }): void =>
        void process.stdout.write(`${isJson ? JSON.stringify(record) : record.text}\n`);
      const stop = stopOnSignals(() => {});
      const node = await listenNode({
        address: flags.listen,
        security: securityOf(flags),
        onLink: ({ name, what }) => say({ type: "link", text: `${name}: ${what}` }),
      });
      say({ type: "listening", text: `listening on ${node.address}` });
      await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
      await node.close();
      process.exitCode = stop.release() === "SIGTERM" ? 143 : 130;
    });
}

function securityOf({ tokenFile, ca, cert, key }: NodeFlags): NodeSecurity {
  const token = tokenFile === undefined ? process.env["TROUPE_NODE_TOKEN"] : textOf("--token-file", tokenFile).trim();
  const given = [ca, cert, key].filter((path) => path !== undefined);
  if (given.length > 0 && given.length < 3)
    throw errors.optionNotValid({
      option: "--ca, --cert, --key",
      found: `${given.length} of them`,
      wanted: "all three or none",
    });
  return {
    ...(token === undefined ? {} : { token }),
    ...(ca !== undefined && cert !== undefined && key !== undefined
      ? { tls: { ca: textOf("--ca", ca), cert: textOf("--cert", cert), key: textOf("--key", key) } }
      : {}),
  };
}

function textOf(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw errors.optionNotValid({ option, found: path, wanted: `a file that can be read (${String(cause)})` });
  }
}
