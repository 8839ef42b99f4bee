import assert from "node:assert/strict";
import { test } from "node:test";

import { type Attempts, inOrder, linesOf, merge, NO_ATTEMPTS } from "../src/attempts";
import { attempt, task } from "./make";

const statuses = (state: Attempts): string[] | undefined => inOrder(state)?.map((each) => each.status);

test("one that changed takes its place among the others", () => {
  let state = merge(NO_ATTEMPTS, [attempt(0, 0, 1), attempt(1, 2, null)], 3, true);
  state = merge(state, [attempt(1, 2, 3, { status: "failed" })], 4);
  state = merge(state, [attempt(2, 4, null)], 5);
  assert.deepEqual(statuses(state), ["succeeded", "failed", "running"]);
});

test("until all are known there is nothing to show, and what was told meanwhile is not lost", () => {
  const told = merge(NO_ATTEMPTS, [attempt(1, 2, 3)], 5);
  assert.equal(inOrder(told), null);
  assert.deepEqual(statuses(merge(told, [attempt(0, 0, 1), attempt(1, 2, null)], 4, true)), ["succeeded", "succeeded"]);
});

test("a late answer does not take an attempt back in time", () => {
  const state = merge(NO_ATTEMPTS, [attempt(0, 0, 1)], 7, true);
  assert.deepEqual(statuses(merge(state, [attempt(0, 0, null)], 5, true)), ["succeeded"]);
});

test("a running attempt has the lines that the others leave of the task's", () => {
  const attempts = [attempt(0, 0, 1, { log_count: 4 }), attempt(1, 2, null, { log_count: 1 })] as const;
  assert.equal(linesOf(attempts[1], attempts, task("a", { log_count: 7 })), 3);
  assert.equal(linesOf(attempts[0], attempts, task("a", { log_count: 7 })), 4);
});
