// A second implementation of docs/spec/canonical.md, and of the names in docs/spec/store.md, written from those texts.
//
// Values are null, boolean, bigint (int), number (float), string, Array, and Map with string keys.
//
// Run as a program it answers requests, one JSON array of them a line, with one JSON array of answers a line:
//
//   {"encode": NOTATION}   {"hex": ..., "sha256": ...}
//   {"decode": HEX}        {"value": NOTATION}
//   {"config": HEX}        {"config": true}
//   {"escape": NOTATION}   {"escaped": ...}
//   {"unescape": TEXT}     {"name": ...}
//
// Any of them may be answered {"refused": REASON}. NOTATION is the typed JSON of docs/spec/vectors/README.md; in place
// of HEX there may be runs. Any other failure ends the program.

import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAX_DEPTH = 64;
const MAX_BYTES = 4 * 1024 * 1024;
const MIN_INT = -(2n ** 63n);
const MAX_INT = 2n ** 64n - 1n;
const NAN_BITS = 0x7ff8000000000000n;
const INFINITY_BITS = 0x7ff0000000000000n;
const SIGN_BIT = 1n << 63n;
const FLOAT_KEY = "$float";
const CONFIG_KIND = "gemexp/config@1";
const MAX_NAME_BYTES = 200;

export class Refused extends Error {}

export function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

// Encoding

export function encode(value) {
  const writer = new Writer();
  writer.value(value, 1);
  return writer.bytes();
}

class Writer {
  #buffer = Buffer.alloc(256);
  #length = 0;

  bytes() {
    return this.#buffer.subarray(0, this.#length);
  }

  value(value, depth) {
    if (value === null) this.#head(0xc0);
    else if (value === false) this.#head(0xc2);
    else if (value === true) this.#head(0xc3);
    else if (typeof value === "bigint") this.#int(value);
    else if (typeof value === "number") this.#float(value);
    else if (typeof value === "string") this.#text(utf8(value));
    else if (Array.isArray(value)) this.#array(value, depth);
    else if (value instanceof Map) this.#map(value, depth);
    else throw new Refused(`a ${typeof value} is none of the seven types`);
  }

  #int(value) {
    if (value < MIN_INT || value > MAX_INT) throw new Refused("the int is out of range");
    if (value >= 0n) {
      if (value < 128n) this.#head(Number(value));
      else if (value < 2n ** 8n) this.#head(0xcc, 1, value);
      else if (value < 2n ** 16n) this.#head(0xcd, 2, value);
      else if (value < 2n ** 32n) this.#head(0xce, 4, value);
      else this.#head(0xcf, 8, value);
    } else if (value >= -32n) this.#head(Number(256n + value));
    else if (value >= -(2n ** 7n)) this.#head(0xd0, 1, value);
    else if (value >= -(2n ** 15n)) this.#head(0xd1, 2, value);
    else if (value >= -(2n ** 31n)) this.#head(0xd2, 4, value);
    else this.#head(0xd3, 8, value);
  }

  #float(value) {
    const scratch = Buffer.alloc(8);
    scratch.writeDoubleBE(value + 0); // -0 + 0 is 0
    this.#head(0xcb, 8, Number.isNaN(value) ? NAN_BITS : scratch.readBigUInt64BE());
  }

  #text(bytes) {
    const size = bytes.length;
    if (size < 32) this.#head(0xa0 + size);
    else if (size < 2 ** 8) this.#head(0xd9, 1, BigInt(size));
    else this.#length16or32(0xda, size);
    this.#reserve(size);
    bytes.copy(this.#buffer, this.#length);
    this.#length += size;
  }

  #array(items, depth) {
    this.#container(0x90, 0xdc, items.length, depth);
    for (const item of items) this.value(item, depth + 1);
  }

  #map(map, depth) {
    if (map.size === 1 && map.has(FLOAT_KEY)) throw new Refused(`'${FLOAT_KEY}' is the only key`);
    const entries = [...map].map(([key, item]) => [utf8(key), item]);
    entries.sort(([first], [second]) => Buffer.compare(first, second));
    this.#container(0x80, 0xde, entries.length, depth);
    for (const [key, item] of entries) {
      this.#text(key);
      this.value(item, depth + 1);
    }
  }

  #container(short, head16, count, depth) {
    if (depth > MAX_DEPTH) throw new Refused("the value is nested too deeply");
    if (count < 16) this.#head(short + count);
    else this.#length16or32(head16, count);
  }

  #length16or32(head16, length) {
    if (length < 2 ** 16) this.#head(head16, 2, BigInt(length));
    else this.#head(head16 + 1, 4, BigInt(length));
  }

  #head(head, size = 0, number = 0n) {
    this.#reserve(1 + size);
    this.#buffer[this.#length++] = head;
    for (let shift = 8 * (size - 1); shift >= 0; shift -= 8) {
      this.#buffer[this.#length++] = Number((number >> BigInt(shift)) & 0xffn);
    }
  }

  #reserve(size) {
    const needed = this.#length + size;
    if (needed > MAX_BYTES) throw new Refused("the object is too large");
    if (needed > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(needed, 2 * this.#buffer.length));
      this.#buffer.copy(larger);
      this.#buffer = larger;
    }
  }
}

function utf8(text) {
  if (typeof text !== "string") throw new Refused("a key is not text");
  if (!text.isWellFormed()) throw new Refused("the text holds a lone surrogate");
  return Buffer.from(text, "utf8");
}

// Decoding: each rule is checked where it applies, instead of encoding the result again to see whether it agrees.

export function decode(bytes) {
  if (bytes.length > MAX_BYTES) throw new Refused("the object is too large");
  const reader = new Reader(bytes);
  const value = reader.value(1);
  reader.end();
  return value;
}

class Reader {
  #bytes;
  #at = 0;
  #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(bytes) {
    this.#bytes = bytes;
  }

  end() {
    if (this.#at !== this.#bytes.length) throw new Refused("there are bytes after the value");
  }

  value(depth) {
    const head = this.#byte();
    if (head < 0x80) return BigInt(head);
    if (head < 0x90) return this.#map(head - 0x80, depth);
    if (head < 0xa0) return this.#array(head - 0x90, depth);
    if (head < 0xc0) return this.#text(this.#take(head - 0xa0));
    if (head >= 0xe0) return BigInt(head) - 256n;
    switch (head) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xcb: return this.#float();
      case 0xcc: return this.#unsigned(1, 128n);
      case 0xcd: return this.#unsigned(2, 2n ** 8n);
      case 0xce: return this.#unsigned(4, 2n ** 16n);
      case 0xcf: return this.#unsigned(8, 2n ** 32n);
      case 0xd0: return this.#negative(1, -32n);
      case 0xd1: return this.#negative(2, -(2n ** 7n));
      case 0xd2: return this.#negative(4, -(2n ** 15n));
      case 0xd3: return this.#negative(8, -(2n ** 31n));
      case 0xd9: case 0xda: case 0xdb: return this.#text(this.#take(this.#textLength(head)));
      case 0xdc: return this.#array(this.#length(2, 16), depth);
      case 0xdd: return this.#array(this.#length(4, 2 ** 16), depth);
      case 0xde: return this.#map(this.#length(2, 16), depth);
      case 0xdf: return this.#map(this.#length(4, 2 ** 16), depth);
      default: throw new Refused(`no value begins with 0x${head.toString(16)}`);
    }
  }

  #array(count, depth) {
    this.#enter(count, depth);
    const items = [];
    for (let number = 0; number < count; number += 1) items.push(this.value(depth + 1));
    return items;
  }

  #map(count, depth) {
    this.#enter(2 * count, depth);
    const map = new Map();
    let previous = null;
    for (let number = 0; number < count; number += 1) {
      const bytes = this.#keyBytes();
      const key = this.#text(bytes);
      if (previous !== null && Buffer.compare(previous, bytes) >= 0) throw new Refused("the keys are not in order");
      previous = bytes;
      map.set(key, this.value(depth + 1));
    }
    if (count === 1 && map.has(FLOAT_KEY)) throw new Refused(`'${FLOAT_KEY}' is the only key`);
    return map;
  }

  #enter(least, depth) {
    if (depth > MAX_DEPTH) throw new Refused("the value is nested too deeply");
    if (least > this.#bytes.length - this.#at) throw new Refused("the bytes end too early");
  }

  #keyBytes() {
    const head = this.#byte();
    if (head >= 0xa0 && head < 0xc0) return this.#take(head - 0xa0);
    if (head < 0xd9 || head > 0xdb) throw new Refused("a key is not text");
    return this.#take(this.#textLength(head));
  }

  #textLength(head) {
    if (head === 0xd9) return this.#length(1, 32);
    return head === 0xda ? this.#length(2, 2 ** 8) : this.#length(4, 2 ** 16);
  }

  #text(bytes) {
    try {
      return this.#utf8.decode(bytes);
    } catch (error) {
      if (error instanceof TypeError) throw new Refused("the text is not UTF-8");
      throw error;
    }
  }

  #float() {
    const bytes = this.#take(8);
    const bits = bytes.readBigUInt64BE();
    if (bits === SIGN_BIT) throw new Refused("the float is -0.0");
    if ((bits & ~SIGN_BIT) > INFINITY_BITS && bits !== NAN_BITS) throw new Refused("the NaN is not the one allowed");
    return bytes.readDoubleBE();
  }

  #unsigned(size, least) {
    const number = this.#number(size);
    if (number < least) throw new Refused("the int has a shorter form");
    return number;
  }

  #negative(size, above) {
    const number = BigInt.asIntN(8 * size, this.#number(size));
    if (number >= above) throw new Refused("the int has a shorter form");
    return number;
  }

  #length(size, least) {
    const length = Number(this.#number(size));
    if (length < least) throw new Refused("the length has a shorter form");
    return length;
  }

  #number(size) {
    return BigInt(`0x${this.#take(size).toString("hex")}`);
  }

  #byte() {
    return this.#take(1)[0];
  }

  #take(size) {
    if (size > this.#bytes.length - this.#at) throw new Refused("the bytes end too early");
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }
}

// The config object

export function checkConfig(value) {
  const sections = ["feature_names", "feature_transformations", "feature_weights", "hyperparameters"];
  if (!(value instanceof Map) || value.get("$") !== CONFIG_KIND) throw new Refused("it is not a config");
  if ([...value.keys()].join() !== ["$", ...sections].join()) throw new Refused("it has not exactly the five keys");
  const [names, ...maps] = sections.map((section) => value.get(section));
  if (!Array.isArray(names)) throw new Refused("feature_names is not an array");
  const encoded = names.map(utf8);
  for (let at = 1; at < encoded.length; at += 1) {
    if (Buffer.compare(encoded[at - 1], encoded[at]) >= 0) throw new Refused("feature_names is not a sorted set");
  }
  if (!maps.every((section) => section instanceof Map)) throw new Refused("a section is not a map");
  const weights = [...value.get("feature_weights").values()];
  if (!weights.every((weight) => typeof weight === "number")) throw new Refused("a weight is not a float");
}

// Names of tags

export function escapeName(name) {
  if (name === "") throw new Refused("the name is empty");
  let escaped = "";
  for (const byte of utf8(name)) {
    const char = String.fromCharCode(byte);
    escaped += /[a-z0-9._\-=+@]/.test(char) ? char : percent(byte);
  }
  if (/^\.|^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/.test(escaped)) {
    escaped = percent(escaped.charCodeAt(0)) + escaped.slice(1);
  }
  if (escaped.endsWith(".")) escaped = escaped.slice(0, -1) + percent(0x2e);
  if (escaped.length > MAX_NAME_BYTES) throw new Refused("the name is too long");
  return escaped;
}

export function unescapeName(escaped) {
  const pieces = escaped.match(/%[0-9A-F]{2}|[^]/gu) ?? [];
  const bytes = pieces.map((piece) => (piece.length === 3 ? Buffer.from(piece.slice(1), "hex") : utf8(piece)));
  const name = Buffer.concat(bytes).toString("utf8");
  if (escapeName(name) !== escaped) throw new Refused("no name is written so");
  return name;
}

function percent(byte) {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

// The typed JSON of the vectors

const READERS = {
  int: BigInt,
  float: (bits) => Buffer.from(bits, "hex").readDoubleBE(),
  utf16: (units) => Buffer.from(units, "hex").swap16().toString("utf16le"),
  array: (items) => items.map(fromNotation),
  map: readMap,
  repeat: ([text, times]) => text.repeat(times),
  fill: ([item, times]) => Array(times).fill(fromNotation(item)),
  count: (number) => {
    const keys = Array.from({ length: number }, (_, at) => String(number - 1 - at).padStart(5, "0"));
    return new Map(keys.map((key) => [key, null]));
  },
  nest: ([kind, levels, innermost]) => {
    let value = fromNotation(innermost);
    for (let level = 0; level < levels; level += 1) value = kind === "array" ? [value] : new Map([["a", value]]);
    return value;
  },
};

function fromNotation(notation) {
  if (notation === null || typeof notation === "boolean" || typeof notation === "string") return notation;
  const [[form, content]] = Object.entries(notation);
  return READERS[form](content);
}

function readMap(pairs) {
  const map = new Map(pairs.map(([key, item]) => [fromNotation(key), fromNotation(item)]));
  if (map.size !== pairs.length) throw new Refused("a key is there twice"); // a Map could not say so later
  return map;
}

function toNotation(value) {
  if (typeof value === "bigint") return { int: String(value) };
  if (typeof value === "number") {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return { float: Number.isNaN(value) ? NAN_BITS.toString(16) : bytes.toString("hex") };
  }
  if (Array.isArray(value)) return { array: value.map(toNotation) };
  if (value instanceof Map) return { map: [...value].map(([key, item]) => [key, toNotation(item)]) };
  return value;
}

function fromHexOrRuns(written) {
  if (typeof written === "string") return Buffer.from(written, "hex");
  return Buffer.concat(written.map(([piece, times]) => Buffer.from(piece.repeat(times), "hex")));
}

// The program

const ANSWERS = {
  encode: (notation) => {
    const bytes = encode(fromNotation(notation));
    return { hex: bytes.toString("hex"), sha256: sha256(bytes) };
  },
  decode: (written) => ({ value: toNotation(decode(fromHexOrRuns(written))) }),
  config: (written) => {
    checkConfig(decode(fromHexOrRuns(written)));
    return { config: true };
  },
  escape: (notation) => ({ escaped: escapeName(fromNotation(notation)) }),
  unescape: (escaped) => ({ name: unescapeName(escaped) }),
};

function answer(answers, request) {
  const [[verb, argument]] = Object.entries(request);
  try {
    return answers[verb](argument);
  } catch (error) {
    if (error instanceof Refused) return { refused: error.message };
    throw error;
  }
}

// Answers requests, if the module of that address is the program that runs.
export async function serve(address, answers) {
  if (!process.argv[1] || realpathSync(process.argv[1]) !== fileURLToPath(address)) return;
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(JSON.parse(line).map((request) => answer(answers, request)))}\n`);
  }
}

await serve(import.meta.url, ANSWERS);
