import { MessageChannel, type MessagePort } from "node:worker_threads";
import * as comlink from "comlink";
import { errors } from "../errors.js";
import type { Protocol } from "./actor.js";
import type { Accepted, ActorRef } from "./actor-ref.js";
import { systemClock, type Clock } from "./clock.js";
import { decodeError, encodeError, type WireError } from "./error-codec.js";

/** An actor's address and the port on which it answers. Post it to another thread with `port` in the transfer list. */
export interface ExposedRef {
  readonly address: string;
  readonly port: MessagePort;
}

/** An actor as another thread sees it. comlink has no deadlines and never settles when its peer dies; every call here does. */
export interface RemoteRef<P extends Protocol> {
  readonly address: string;
  /** Fails as `ActorRef.ask` does. */
  ask<K extends keyof P & string>(type: K, message: P[K]["in"], options: { deadlineMs: number }): Promise<P[K]["out"]>;
  tell<K extends keyof P & string>(type: K, message: P[K]["in"], options: { deadlineMs: number }): Promise<Accepted>;
  /** Lets go of the port; calls under way fail. */
  close(): void;
}

type Answer = { readonly value: unknown } | { readonly error: WireError };

/** What travels through comlink: errors as data, as its own carrier drops their codes. */
interface Facade {
  ask(type: string, message: unknown, deadlineMs: number): Promise<Answer>;
  tell(type: string, message: unknown): Answer;
}

/**
 * Makes an actor reachable from another thread. The port closes with the other end or with the actor, and does not keep
 * the process alive. Meant for few and long-lived users; actors among themselves use their refs, which cost half as much.
 */
export function exposeRef<P extends Protocol>(ref: ActorRef<P>): ExposedRef {
  const { port1, port2 } = new MessageChannel();
  const facade: Facade = {
    ask: (type, message, deadlineMs) =>
      ref.ask(type, message, { deadlineMs }).then(
        (value) => ({ value }),
        (error: unknown) => ({ error: encodeError(error) }),
      ),
    tell(type, message) {
      try {
        return { value: ref.tell(type, message) };
      } catch (error) {
        return { error: encodeError(error) };
      }
    },
  };
  comlink.expose(facade, endpoint(port1));
  port1.unref();
  const unwatch = ref.watch(({ restarts }) => {
    if (!restarts) port1.close();
  });
  port1.once("close", unwatch);
  return { address: ref.address, port: port2 };
}

/**
 * The other end of `exposeRef`.
 *
 * @example
 * const remote = connectRef<Counting>(workerData.counter);
 * await remote.ask("add", 2, { deadlineMs: 1000 });
 * remote.close();
 */
export function connectRef<P extends Protocol>(
  { address, port }: ExposedRef,
  clock: Clock = systemClock,
): RemoteRef<P> {
  const facade = comlink.wrap<Facade>(endpoint(port));
  const underWay = new Set<(error: Error) => void>();
  let isClosed = false;
  port.once("close", () => {
    isClosed = true;
    for (const fail of underWay) fail(new Error("the port closed"));
  });

  function call(type: string, deadlineMs: number, send: () => Promise<Answer>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const about = { address, type };
      if (isClosed) return reject(errors.actorGone({ ...about, state: "out of reach", outcome: "not-run" }));
      const cancel = clock.after(deadlineMs, () => {
        underWay.delete(fail);
        reject(errors.askDeadline({ ...about, deadlineMs, state: "out of sight", outcome: "unknown" }));
      });
      const settle = (settleNow: () => void): void => {
        cancel();
        underWay.delete(fail);
        settleNow();
      };
      const fail = (cause: Error): void =>
        settle(() => reject(errors.actorDown({ ...about, reason: "port closed", outcome: "unknown" }, cause)));
      underWay.add(fail);
      send().then(
        (answer) => settle(() => ("error" in answer ? reject(decodeError(answer.error)) : resolve(answer.value))),
        (cause: unknown) =>
          settle(() =>
            reject(errors.messageNotCloneable({ ...about, problem: String(cause), outcome: "unknown" }, cause)),
          ),
      );
    });
  }

  return {
    address,
    ask: (type, message, { deadlineMs }) => call(type, deadlineMs, () => facade.ask(type, message, deadlineMs)),
    // The facade's tell answers with what ActorRef.tell returned.
    tell: (type, message, { deadlineMs }) =>
      call(type, deadlineMs, () => facade.tell(type, message)) as Promise<Accepted>,
    close: () => port.close(),
  };
}

function endpoint(port: MessagePort): comlink.Endpoint {
  // Node's port has the same methods as the browser's, which comlink's types name.
  return port as unknown as comlink.Endpoint;
}
