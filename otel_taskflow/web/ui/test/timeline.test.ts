import assert from "node:assert/strict";
import { test } from "node:test";

import { ticks, timeline } from "../src/timeline";
import { at, attempt, task } from "./make";

const NOW = Date.parse(at(100));

test("two failures and a success are three bars with the waits between them", () => {
  const attempts = [attempt(0, 1, 2), attempt(1, 4, 5), attempt(2, 9, 10)];
  const { bars, pending } = timeline(task("a", { end_time: at(10) }), attempts, NOW);
  assert.deepEqual(bars.map((bar) => [bar.wait?.seconds, bar.run.seconds]), [[1, 1], [2, 1], [4, 1]]);
  assert.deepEqual(bars.map((bar) => [bar.run.left, bar.run.width]), [[0.1, 0.1], [0.4, 0.1], [0.9, 0.1]]);
  assert.equal(pending, null);
});

test("a running attempt reaches to now", () => {
  const { bars } = timeline(task("a", { status: "running", end_time: null }), [attempt(0, 90, null)], NOW);
  assert.deepEqual([bars[0]?.running, bars[0]?.run.seconds, bars[0]?.run.width], [true, 10, 0.1]);
});

test("a wait for the next attempt is drawn to its planned end", () => {
  const waiting = task("a", { status: "running", end_time: null, waiting_until: at(120) });
  const { end, pending } = timeline(waiting, [attempt(0, 0, 80)], NOW);
  assert.deepEqual([end, pending?.left, pending?.seconds], [Date.parse(at(120)), 80 / 120, 40]);
});

test("a task that has not started is one wait", () => {
  const { bars, pending } = timeline(task("a", { status: "pending", end_time: null, start_time: null }), [], NOW);
  assert.deepEqual([bars.length, pending?.seconds, pending?.width], [0, 100, 1]);
});

test("a clock that went back does no harm", () => {
  const { bars } = timeline(task("a", { created_at: at(5), end_time: at(1) }), [attempt(0, 3, 1, { duration: 0.5 })], NOW);
  assert.ok(bars.every((bar) => bar.run.left >= 0 && bar.run.left <= 1 && bar.run.width >= 0));
  assert.equal(bars[0]?.run.seconds, 0.5);
});

test("ticks are round and few", () => {
  assert.deepEqual(ticks(10).map((tick) => tick.seconds), [0, 2, 4, 6, 8, 10]);
  for (const seconds of [0.001, 0.3, 0.99, 1, 7, 59, 61, 3599, 90000, 1e7]) {
    const found = ticks(seconds);
    assert.ok(found.length >= 2 && found.length <= 6, `${seconds}: ${found.length}`);
    assert.ok(found.every((tick) => tick.at >= 0 && tick.at <= 1));
  }
});
