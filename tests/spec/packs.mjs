// A second implementation of docs/spec/pack.md, written from that text; it answers requests as canonical.mjs does:
//
//   {"key": PATH}              {"key": HEX}
//   {"path": HEX}              {"path": PATH}
//   {"write": {PATH: HEX}}     {"hex": ..., "sha256": ...}
//   {"read": HEX}              {"files": {PATH: HEX}, "sha256": ...}

import { Refused, escapeName, serve, sha256, unescapeName } from "./canonical.mjs";

const MAGIC = Buffer.from("894758500d0a1a0a", "hex");
const MARK = Buffer.from("c167", "hex");
const MAX_KEY_BYTES = 1024;
const MAX_DATA_BYTES = 2 ** 28;
const HASH = "[0-9a-f]{64}";
const LENGTH = "(?:\\.(?:[2-9]|[1-9][0-9]{1,8}))?";
const NAME = "([^/]+)";

// The table of keys: what a path looks like, and what its parts become.
const KINDS = [
  [0x80, new RegExp(`^index/(..)/(${HASH})-(${HASH})$`), (folder, about, record) => [about.startsWith(folder), about + record]],
  [0x80, new RegExp(`^index/(..)/([0-9a-f]{4,63})-(${HASH})$`), (folder, alias, record) => [
    alias.startsWith(folder), alias.padEnd(64, "0") + record + alias.length.toString(16).padStart(2, "0"),
  ]],
  [0x81, new RegExp(`^objects/(..)/(${HASH})$`), (folder, hash) => [hash.startsWith(folder), hash]],
  [0x82, new RegExp(`^refs/deleted/(${HASH})(${LENGTH})$`), (hash, length) => [true, hash + ascii(length)]],
  [0x83, new RegExp(`^refs/migrated/(${HASH})-(${HASH})(${LENGTH})$`), (old, now, length) => [true, old + now + ascii(length)]],
  [0x84, new RegExp(`^refs/names/${NAME}/(${HASH})$`), (name, record) => [isEscaped(name), ascii(`${name}/`) + record]],
  [0x85, new RegExp(`^refs/tags/${NAME}/(${HASH})(${LENGTH})$`), (tag, hash, length) => [
    isEscaped(tag), ascii(`${tag}/`) + hash + ascii(length),
  ]],
];

export function toKey(path) {
  for (const [code, pattern, make] of KINDS) {
    const match = pattern.exec(path);
    if (match === null) continue;
    const [fits, hex] = make(...match.slice(1));
    if (fits) return Buffer.from(code.toString(16) + hex, "hex");
  }
  throw new Refused("a pack cannot hold it");
}

export function toPath(key) {
  const hex = key.toString("hex", 1);
  const text = key.toString("latin1", 1);
  const folder = hex.slice(0, 2);
  const slash = text.indexOf("/");
  const named = () => `${text.slice(0, slash)}/${hex.slice(2 * slash + 2, 2 * slash + 66)}${text.slice(slash + 33)}`;
  const paths = {
    0x80: () => `index/${folder}/${hex.slice(0, key.length === 65 ? 64 : key[65])}-${hex.slice(64, 128)}`,
    0x81: () => `objects/${folder}/${hex}`,
    0x82: () => `refs/deleted/${hex.slice(0, 64)}${text.slice(32)}`,
    0x83: () => `refs/migrated/${hex.slice(0, 64)}-${hex.slice(64, 128)}${text.slice(64)}`,
    0x84: () => `refs/names/${named()}`,
    0x85: () => `refs/tags/${named()}`,
  };
  const path = paths[key[0]]?.();
  if (path === undefined || !toKey(path).equals(key)) throw new Refused("it is the key of no file");
  return path;
}

export function write(files) {
  const entries = Object.entries(files).map(([path, hex]) => [toKey(path), Buffer.from(hex, "hex")]);
  entries.sort(([first], [second]) => Buffer.compare(first, second));
  return Buffer.concat([MAGIC, ...entries.map(([key, data]) => entry(key, data))]);
}

export function read(bytes) {
  if (!bytes.subarray(0, 8).equals(MAGIC)) throw new Refused("it is no pack");
  const files = {};
  let last = Buffer.alloc(0);
  let at = 8;
  while (at >= 0 && at < bytes.length) {
    const found = entryAt(bytes, at);
    if (found === null) {
      at = bytes.indexOf(MARK, at + 1);
      continue;
    }
    at = found.end;
    const path = pathOrNull(found.key);
    if (path === null || Buffer.compare(found.key, last) <= 0) continue;
    last = found.key;
    files[path] = found.data.toString("hex");
  }
  return files;
}

function entry(key, data) {
  const checked = Buffer.concat([leb128(key.length), leb128(data.length), key]);
  const check = Buffer.alloc(4);
  check.writeUInt32LE(crc32(checked));
  return Buffer.concat([MARK, check, checked, data]);
}

function entryAt(bytes, start) {
  if (!bytes.subarray(start, start + 2).equals(MARK)) return null;
  const [keyBytes, keyAt] = lengthAt(bytes, start + 6);
  const [dataBytes, after] = lengthAt(bytes, keyAt);
  if (!(keyBytes > 0 && keyBytes <= MAX_KEY_BYTES && dataBytes <= MAX_DATA_BYTES)) return null;
  const dataAt = after + keyBytes;
  const end = dataAt + dataBytes;
  if (end > bytes.length || bytes.readUInt32LE(start + 2) !== crc32(bytes.subarray(start + 6, dataAt))) return null;
  return { key: bytes.subarray(after, dataAt), data: bytes.subarray(dataAt, end), end };
}

function leb128(number) {
  const bytes = [];
  for (; number > 127; number = Math.floor(number / 128)) bytes.push((number % 128) + 128);
  return Buffer.from([...bytes, number]);
}

// Returns the number and what comes after it; NaN if it is not written as it must be.
function lengthAt(bytes, at) {
  let number = 0;
  for (let size = 0; size < 5; size += 1) {
    const byte = bytes[at + size];
    if (byte === undefined) break;
    number += (byte % 128) * 128 ** size;
    if (byte < 128) return byte === 0 && size > 0 ? [NaN, at] : [number, at + size + 1];
  }
  return [NaN, at];
}

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function ascii(text) {
  return Buffer.from(text, "latin1").toString("hex");
}

function isEscaped(name) {
  try {
    return escapeName(unescapeName(name)) === name;
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
}

function pathOrNull(key) {
  try {
    return toPath(key);
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}

const ANSWERS = {
  key: (path) => ({ key: toKey(path).toString("hex") }),
  path: (hex) => ({ path: toPath(Buffer.from(hex, "hex")) }),
  write: (files) => {
    const bytes = write(files);
    return { hex: bytes.toString("hex"), sha256: sha256(bytes) };
  },
  read: (hex) => {
    const bytes = Buffer.from(hex, "hex");
    return { files: read(bytes), sha256: sha256(bytes) };
  },
};

await serve(import.meta.url, ANSWERS);
