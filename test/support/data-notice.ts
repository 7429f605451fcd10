import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Says once, before all tests, that those on real problem sets are skipped; each of them only asks `skipIf`. */
export default function announceMissingData(): void {
  const data = fileURLToPath(new URL("../../../shared/data", import.meta.url));
  if (!existsSync(data)) console.warn("Skipping the tests on real problem sets: there is no folder ../shared/data");
}
