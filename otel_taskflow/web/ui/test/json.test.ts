import assert from "node:assert/strict";
import { test } from "node:test";

import { call, value } from "../src/format";
import { parse, write } from "../src/json";

test("whole numbers keep their digits, however many", () => {
  for (const text of ["1234567890123456789", "-9223372036854775808", "18446744073709551615", "9007199254740993", "1".repeat(400)]) {
    assert.equal(write(parse(`{"n":${text}}`)), `{"n":${text}}`);
    assert.equal(write(parse(`[0, {"a": [${text}]}]`)), `[0,{"a":[${text}]}]`);
    assert.equal(write(parse(text)), text);
  }
});

test("everything else is what JavaScript reads", () => {
  const texts = [
    '{"n": 9007199254740991, "m": -9007199254740991, "x": 0.1234567890123456789, "y": 1234567890123456789e5, "z": 12345678901234567.5}',
    '{"id": "1234567890123456789", "in": ",1234567890123456789,", "\\"": ":1234567890123456789", "~k": "~v", "~": "\\u007e1234567890123456789"}',
    '["~~", "~1234567890123456789", "a\\\\", "\\"~", true, null, [], {}, " 1234567890123456789 "]',
  ];
  for (const text of texts) {
    const withLarge = text.replace(/[\]}]$/, (end) => (end === "}" ? ',"large":1234567890123456789}' : ",1234567890123456789]"));
    assert.deepEqual(parse(text), JSON.parse(text));
    assert.deepEqual(JSON.parse(write(parse(withLarge))), JSON.parse(withLarge));
    assert.equal(write(parse(text)), JSON.stringify(JSON.parse(text)));
  }
});

test("what is no JSON is refused, with large numbers too", () => {
  for (const text of ["", "{", "[01234567890123456789]", "[1234567890123456789"]) {
    let refused: unknown = null;
    try {
      parse(text);
    } catch (error) {
      refused = error;
    }
    assert.ok(refused instanceof SyntaxError, text);
  }
});

test("arguments and extras show large numbers digit by digit", () => {
  const given = parse('{"args": [1234567890123456789], "kwargs": {"user_id": -1234567890123456789}}') as { args: unknown[]; kwargs: Record<string, unknown> };
  assert.equal(call(given.args, given.kwargs), "1234567890123456789, user_id=-1234567890123456789");
  assert.equal(value(given.args[0]), "1234567890123456789");
  assert.equal(write(given.args, 2), "[\n  1234567890123456789\n]");
  assert.equal(write(undefined), "");
});

test("a long answer is read fast", () => {
  const lines = Array.from({ length: 20_000 }, (_, seq) => ({ seq, message: `line "${seq}" \\ ${"x".repeat(100)}`, extra: { n: seq } }));
  const text = JSON.stringify([...lines, { message: "y".repeat(4_000_000) }]).replace(/\]$/, ",1234567890123456789]");
  const began = performance.now();
  assert.equal((parse(text) as unknown[]).length, 20_002);
  assert.ok(performance.now() - began < 3000);
});
