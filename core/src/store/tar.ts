/** A file for an archive. */
export interface ArchiveMember {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const BLOCK = 512;

/** Bytes that a member takes in an archive: its header, and its content in whole blocks. */
export function archivedBytes(size: number): number {
  return BLOCK + Math.ceil(size / BLOCK) * BLOCK;
}

/** Where a member's content begins, counted from the member. */
export const CONTENT_OFFSET = BLOCK;

/**
 * Members as the pieces of an archive that every `tar` reads (POSIX.1-1988 ustar), in order.
 *
 * @param members names of at most 100 bytes, contents below 8 GiB
 */
export function* tarPieces(members: Iterable<ArchiveMember>): Generator<Uint8Array> {
  for (const { name, bytes } of members) {
    yield header(name, bytes.length);
    yield bytes;
    yield new Uint8Array(archivedBytes(bytes.length) - BLOCK - bytes.length);
  }
  yield new Uint8Array(2 * BLOCK);
}

function header(name: string, size: number): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number): void =>
    void block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
  block.write(name, 0, 100, "utf8");
  octal(0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  // An archive is the same bytes whenever it is made.
  octal(0, 136, 12);
  block.write("        0", 148, "latin1");
  block.write("ustar\x0000", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
