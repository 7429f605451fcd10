import { createHash, timingSafeEqual } from "node:crypto";
import { isLoopback } from "../actors/node-service.js";
import { errors } from "../errors.js";

/** @throws SERVICE_NOT_SECURED when other machines could come in without a token */
export function checkToken(address: string, token: string | undefined): void {
  const refuse = (problem: string): never => {
    throw errors.serviceNotSecured({ address, problem });
  };
  if (token === undefined && !isLoopback(address)) refuse("other machines can reach it, and there is no token");
  if (token !== undefined && token.length < 16) refuse("its token has less than 16 characters");
}

/** Whether the value of an Authorization header shows the token; anything does where there is none. */
export function showsToken(header: string | undefined, token: string | undefined): boolean {
  if (token === undefined) return true;
  // Digests have one length, so that comparing takes the same time whatever was sent.
  const [wanted, shown] = [`Bearer ${token}`, header ?? ""].map((text) => createHash("sha256").update(text).digest());
  return wanted !== undefined && shown !== undefined && timingSafeEqual(wanted, shown);
}
