import assert from "node:assert/strict";
import { test } from "node:test";

import { fold, parseStack } from "../src/stack";

const CHAIN = `Traceback (most recent call last):
  File "/srv/app/pay.py", line 12, in charge
    gateway.post(order)
    ~~~~~~~~~~~~^^^^^^^
  File "/venv/lib/python3.13/site-packages/httpx/_client.py", line 9, in post
    raise Timeout
httpx.Timeout: no answer

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/app/shop.py", line 3, in fulfill
    charge()
  File "/srv/app/pay.py", line 15, in charge
    raise PaymentError("refused")
shop.PaymentError: refused

and a second paragraph`;

test("a chain of exceptions is a section each, in Python's order", () => {
  const sections = parseStack(CHAIN) ?? [];
  assert.deepEqual(sections.map((each) => each.conclusion), ["httpx.Timeout: no answer", "shop.PaymentError: refused\n\nand a second paragraph"]);
  assert.equal(sections[1]?.link, "During handling of the above exception, another exception occurred:");
  assert.deepEqual(sections[0]?.frames.map((each) => [each.name, each.line, each.own]), [["charge", 12, true], ["post", 9, false]]);
  assert.equal(sections[0]?.frames[0]?.source.length, 2);
});

test("frames of libraries are folded, the last frame is not", () => {
  const frame = (own: boolean, name: string) => ({ file: "f", line: 1, name, source: [], own });
  const pieces = fold([frame(false, "a"), frame(false, "b"), frame(true, "c"), frame(false, "d"), frame(false, "e")]);
  assert.deepEqual(
    pieces.map((piece) => (piece.own ? piece.frame.name : piece.frames.map((each) => each.name))),
    [["a", "b"], "c", ["d"], "e"],
  );
});

test("what is no traceback, or a group of them, stays text", () => {
  assert.equal(parseStack("PaymentError: no"), null);
  assert.equal(parseStack('  + Exception Group Traceback (most recent call last):\n  |   File "a.py", line 1'), null);
  assert.equal(parseStack(""), null);
});
