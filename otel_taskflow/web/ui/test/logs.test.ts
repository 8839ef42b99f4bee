import assert from "node:assert/strict";
import { test } from "node:test";

import { BLOCK, cause, FilteredLog, isAtLeast, type LogRow, MOST_WAITING, WholeLog } from "../src/logs";
import { attempt, line } from "./make";

const text = (row: LogRow): string =>
  row.kind === "line" ? `${row.entry.seq}` : row.kind === "retry" ? `retry ${row.attempt}` : `${row.kind === "lost" ? "!" : "?"} ${row.seq}`;
const texts = (log: WholeLog | FilteredLog): string[] => Array.from({ length: log.rows }, (_, index) => text(log.row(index)));
const range = (from: number, to: number, number = 0) => Array.from({ length: to - from + 1 }, (_, index) => line(from + index, number));

test("lines of three attempts have two separators between them, loaded or not", () => {
  const log = new WholeLog();
  log.expect(5, [attempt(0, 0, 1, { log_count: 2 }), attempt(1, 1, 2, { log_count: 1 }), attempt(2, 2, 3, { log_count: 2 })]);
  assert.deepEqual(texts(log), ["? 1", "? 2", "retry 1", "? 3", "retry 2", "? 4", "? 5"]);
  log.add([line(1), line(2), line(3, 1), line(4, 2), line(5, 2)]);
  assert.deepEqual(texts(log), ["1", "2", "retry 1", "3", "retry 2", "4", "5"]);
  assert.deepEqual([log.indexOf(1), log.indexOf(3), log.indexOf(5)], [0, 3, 6]);
  assert.deepEqual([log.startOf(0), log.startOf(1), log.startOf(2)], [0, 2, 4]);
});

test("an attempt without lines has its separator too", () => {
  const log = new WholeLog();
  log.expect(2, [attempt(0, 0, 1, { log_count: 1 }), attempt(1, 1, 2), attempt(2, 2, 3, { log_count: 1 })]);
  log.add([line(1), line(2, 2)]);
  assert.deepEqual(texts(log), ["1", "retry 1", "retry 2", "2"]);
});

test("a line that comes twice, or before its attempt is known, is one line", () => {
  const log = new WholeLog();
  log.add([line(1), line(2)]);
  log.add([line(2), line(3, 1)]);
  log.add([line(3, 1)]);
  assert.deepEqual(texts(log), ["1", "2", "retry 1", "3"]);
  assert.equal(log.lines, 3);
});

test("a late line does not move the separator", () => {
  const log = new WholeLog();
  log.expect(4, [attempt(0, 0, 1, { log_count: 2 }), attempt(1, 1, 2, { log_count: 2 })]);
  log.add([line(1), line(2, 1), line(3, 0, { late: true }), line(4, 1)]);
  assert.deepEqual(texts(log), ["1", "retry 1", "2", "3", "4"]);
});

test("the end of a long log is one block away", () => {
  const log = new WholeLog();
  log.expect(100_000, [attempt(0, 0, 1, { log_count: 100_000 })]);
  assert.deepEqual(log.claim(99_960, 99_999), [99]);
  assert.deepEqual(log.claim(99_960, 99_999), [], "asked for already");
  log.unclaim(99);
  assert.deepEqual(log.claim(99_960, 99_999), [99], "the request failed");
  log.add(range(99 * BLOCK + 1, 100_000));
  assert.equal(text(log.row(99_999)), "100000");
  assert.equal(text(log.row(500)), "? 501");
});

test("what came by the live stream is not fetched again", () => {
  const log = new WholeLog();
  log.add(range(1, 20));
  assert.deepEqual(log.claim(0, 40), []);
});

test("a filtered log has separators where the attempt changes", () => {
  const log = new FilteredLog();
  log.add([line(1), line(4, 1)], "2.4.0");
  log.follow([line(9, 2), line(90, 2)]);
  assert.deepEqual(texts(log), ["1", "retry 1", "4"], "there are lines between that are not loaded");
  log.add([line(4, 1), line(9, 2)], null);
  assert.deepEqual([log.indexOf(4), log.indexOf(90), log.indexOf(2)], [2, 5, null]);
  log.follow([line(9, 2), line(90, 2)]);
  assert.deepEqual(texts(log), ["1", "retry 1", "4", "retry 2", "9", "90"]);
  assert.equal(log.lines, 4);
});

test("of very many new lines before a filtered log is read, the newest are kept", () => {
  const log = new FilteredLog();
  for (let seq = 1; seq <= 2 * MOST_WAITING; seq += 1000) log.follow(range(seq, seq + 999));
  log.add([], null);
  assert.deepEqual([log.lines, log.indexOf(MOST_WAITING), log.indexOf(MOST_WAITING + 1)], [MOST_WAITING, null, 0]);
});

test("levels are ordered", () => {
  assert.ok(isAtLeast("error", "warning") && isAtLeast("debug", "debug") && !isAtLeast("info", "warning"));
});

test("a separator says why and how long", () => {
  const attempts = [attempt(0, 0, 1, { status: "retrying", error_type: "TimeoutError" }), attempt(1, 3, 4)];
  assert.equal(cause(attempts, 1, (seconds) => `${seconds} s`), "after TimeoutError, waited 2 s");
  assert.equal(cause([attempt(0, 0, 1, { status: "timed_out" })], 1, String), "after timed out");
  assert.equal(cause([], 1, String), "");
});

test("a line that the server lost is said to be lost, one that may still come is not", () => {
  const log = new WholeLog();
  log.expect(5, [attempt(0, 0, 1, { log_count: 5 })]);
  log.add([line(1), line(4)]);
  assert.deepEqual(texts(log), ["1", "? 2", "? 3", "4", "? 5"]);
  log.finish(0);
  assert.deepEqual(texts(log), ["1", "! 2", "! 3", "4", "? 5"]);
});
