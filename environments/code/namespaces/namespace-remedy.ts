import { readFileSync } from "node:fs";

/** Settings of the kernel that forbid user namespaces: the value that does, and the command that ends it. */
const SETTINGS = [
  { name: "user.max_user_namespaces", forbids: "0", remedy: "sysctl -w user.max_user_namespaces=15000" },
  { name: "kernel.unprivileged_userns_clone", forbids: "0", remedy: "sysctl -w kernel.unprivileged_userns_clone=1" },
  {
    name: "kernel.apparmor_restrict_unprivileged_userns",
    forbids: "1",
    remedy: "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu since 23.10)",
  },
];

/**
 * What an administrator can do where namespaces cannot be made: the setting that stands in the way, by name, or what a
 * container lacks.
 *
 * @param read the value of a setting, "" where the kernel does not have it
 */
export function namespaceRemedy(read: (name: string) => string = readSetting): string {
  const found = SETTINGS.filter(({ name, forbids }) => read(name) === forbids).map(({ remedy }) => remedy);
  return found.length > 0
    ? `allow user namespaces, as root: ${found.join("; ")}`
    : "run as root, or in a container started with --cap-add SYS_ADMIN --security-opt apparmor=unconfined";
}

function readSetting(name: string): string {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll(".", "/")}`, "latin1").trim();
  } catch {
    return "";
  }
}
