// Old versions of Node must be able to read this file and whatever imports it statically: plain syntax, no imports.
var parts = process.versions.node.split(".").map(Number);

if (parts[0] < 20 || (parts[0] === 20 && parts[1] < 19)) {
  console.error(
    "NODE_TOO_OLD: Cannot run on Node " +
      process.versions.node +
      ": Troupe needs 20.19 or newer. Fix: install Node 22 or 24, then run the same command again",
  );
  process.exit(2);
}
