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

const DIRECT = "The above exception was the direct cause of the following exception:";
const TRACEBACK = `Traceback (most recent call last):
  File "/srv/app/pay.py", line 5, in charge
    raise PaymentError from error
shop.PaymentError`;

test("a cause that was never raised is shown, though it has no frames", () => {
  const sections = parseStack(["KeyError: 7", DIRECT, "ValueError: card expired", DIRECT, TRACEBACK].join("\n\n")) ?? [];
  assert.deepEqual(sections.map((each) => each.conclusion), ["KeyError: 7", "ValueError: card expired", "shop.PaymentError"]);
  assert.deepEqual(sections.map((each) => each.link), [null, DIRECT, DIRECT]);
});

test("the traceback of another process is shown before what came of it", () => {
  const remote = `concurrent.futures.process._RemoteTraceback: \n"""\n${TRACEBACK.replace("shop.PaymentError", "ValueError: the cause")}\n"""`;
  const sections = parseStack([remote, DIRECT, TRACEBACK].join("\n\n")) ?? [];
  assert.deepEqual(sections.map((each) => each.conclusion), [remote, "shop.PaymentError"]);
});

const FRAMES = Array.from({ length: 40 }, (_, index) => `  File "/srv/app/deep.py", line ${index + 1}, in step\n    step(${index})\n`).join("");
const DEEP = `Traceback (most recent call last):\n${FRAMES}RuntimeError: too deep\n\nsecond paragraph`;
/** As the server cuts it. */
const cutMiddle = (text: string, head: number, tail: number): string => `${text.slice(0, head)}\n…[cut: ${text.length} characters]\n${text.slice(-tail)}`;

test("a traceback whose middle was left out has the frames on both sides, wherever it was cut", () => {
  for (let head = 100; head < 220; head += 1) {
    const [first, rest, ...more] = parseStack(cutMiddle(DEEP, head, 300 + head)) ?? [];
    assert.deepEqual(more, []);
    assert.equal(first?.conclusion, "");
    assert.deepEqual(first?.frames.map((each) => each.line), first?.frames.map((_, index) => index + 1));
    assert.equal(rest?.link, `${(DEEP.length - 300 - 2 * head).toLocaleString("en")} characters are left out here.`);
    assert.equal(rest?.conclusion, "RuntimeError: too deep\n\nsecond paragraph");
    assert.equal(rest?.frames.at(-1)?.line, 40);
    assert.ok((first?.frames.length ?? 0) >= 1 && (rest?.frames.length ?? 0) >= 6);
  }
});

test("a message whose middle was left out keeps its begin and its end", () => {
  const long = `${TRACEBACK}: ${"x".repeat(500)} the end`;
  assert.deepEqual((parseStack(cutMiddle(long, 200, 100)) ?? []).map((each) => each.conclusion.slice(-20)), ["x".repeat(20), `${"x".repeat(12)} the end`]);
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
