import assert from "node:assert/strict";
import { test } from "node:test";

import { changeOf, count, find, list, merge, NO_IDS, NO_TASKS, names, type Page, prune, type Tasks, type Window, withoutGone } from "../src/store";
import type { Task } from "../src/model";
import { EVERYTHING } from "../src/url";
import { at, metrics, task } from "./make";

const ALL: Window = { floor: null, ceiling: null, limit: 100, found: NO_IDS };
const ids = (state: Tasks, window = ALL, view = EVERYTHING): string[] =>
  list(state, view, window).tasks.map((each) => each.task_id);

test("a late answer does not take a task back in time", () => {
  let state = merge(NO_TASKS, [task("a", { status: "success" })], 7);
  state = merge(state, [task("a", { status: "running" })], 5);
  assert.equal(find(state, "a")?.status, "success");
});

test("a doubled event changes nothing", () => {
  const once = merge(NO_TASKS, [task("a"), task("b")], 3);
  const twice = merge(once, [task("a"), task("b")], 3);
  assert.deepEqual(ids(twice), ids(once));
});

test("events in any order end in the same state", () => {
  const events: [string, number][] = [["pending", 1], ["running", 2], ["failed", 3]];
  const orders = [[0, 1, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]];
  for (const order of orders) {
    let state = NO_TASKS;
    for (const index of order) {
      const [status, change] = events[index] as [string, number];
      state = merge(state, [task("a", { status: status as "failed" })], change);
    }
    assert.equal(find(state, "a")?.status, "failed", order.join());
  }
});

test("figures are replaced by newer ones only", () => {
  const state = count(count(NO_TASKS, metrics(9), 4), metrics(8), 3);
  assert.equal(state.metrics?.total, 9);
  assert.equal(count(state, undefined, 10), state);
});

test("the newest task stands first, and the id decides between equals", () => {
  const state = merge(NO_TASKS, [task("a", { created_at: at(1) }), task("c"), task("b"), task("d", { created_at: at(2) })], 1);
  assert.deepEqual(ids(state), ["d", "a", "c", "b"]);
});

test("filters by state, name and tag", () => {
  const rows = [
    task("a", { status: "failed" }),
    task("b", { func_name: "report" }),
    task("c", { tags: { customer: "c:7", "x:y": "z" } }),
  ];
  const state = merge(NO_TASKS, rows, 1);
  assert.deepEqual(ids(state, ALL, { ...EVERYTHING, status: "failed" }), ["a"]);
  assert.deepEqual(ids(state, ALL, { ...EVERYTHING, name: "report" }), ["b"]);
  assert.deepEqual(ids(state, ALL, { ...EVERYTHING, tag: "customer:c:7" }), ["c"]);
  assert.deepEqual(ids(state, ALL, { ...EVERYTHING, tag: "other:x" }), []);
  assert.deepEqual(ids(state, ALL, { ...EVERYTHING, tag: "x\\:y:z" }), ["c"]);
});

test("a task is of a trace by its own, or because the server found it by an attempt's", () => {
  const state = merge(NO_TASKS, [task("own", { trace_id: "a".repeat(32) }), task("attempt's"), task("other")], 1);
  const view = { ...EVERYTHING, trace: "a".repeat(32) };
  assert.deepEqual(ids(state, ALL, view), ["own"]);
  assert.deepEqual(ids(state, { ...ALL, found: new Set(["attempt's"]) }, view), ["own", "attempt's"]);
});

test("a finished task that the server's list has no more is forgotten, one that the list cannot have is not", () => {
  const rows = [5, 4, 3, 2, 1].map((second) => task(`t${second}`, { created_at: at(second) }));
  const state = merge(merge(NO_TASKS, rows, 7), [task("running", { created_at: at(3), status: "running" })], 7);
  const forgotten = (page: Partial<Page>, view = EVERYTHING): string[] => {
    const left = ids(withoutGone(state, { tasks: [], after: null, isLast: false, change: 7, ...page }, view, NO_IDS));
    return ids(state).filter((id) => !left.includes(id));
  };
  assert.deepEqual(forgotten({ tasks: [rows[0], rows[3]] as Task[] }), ["t4", "t3"], "between the page's rows");
  assert.deepEqual(forgotten({ tasks: [rows[3]] as Task[], after: rows[1] as Task }), ["t3"], "behind the page before");
  assert.deepEqual(forgotten({ tasks: [rows[2]] as Task[], after: rows[1] as Task, isLast: true }), ["t2", "t1"], "to the end");
  assert.deepEqual(forgotten({ isLast: true, change: 6 }), [], "told after the page was asked for");
  assert.deepEqual(forgotten({ isLast: true }, { ...EVERYTHING, status: "failed" }), [], "not of this list");
  assert.deepEqual(forgotten({}), []);
});

test("what is older than the last loaded page is not shown: there would be a gap", () => {
  const state = merge(NO_TASKS, [task("new", { created_at: at(5) }), task("old", { created_at: at(1) })], 1);
  assert.deepEqual(ids(state, { ...ALL, floor: { created_at: at(2), task_id: "x" } }), ["new"]);
});

test("a list that is held still counts what comes meanwhile", () => {
  const state = merge(NO_TASKS, [task("new", { created_at: at(5) }), task("old", { created_at: at(1) })], 1);
  const held = list(state, EVERYTHING, { ...ALL, ceiling: { created_at: at(1), task_id: "old" } });
  assert.deepEqual([held.tasks.map((each) => each.task_id), held.held], [["old"], 1]);
});

test("the limit leaves the rest for later", () => {
  const state = merge(NO_TASKS, [task("a"), task("b"), task("c")], 1);
  const found = list(state, EVERYTHING, { ...ALL, limit: 2 });
  assert.deepEqual([found.tasks.length, found.more], [2, true]);
});

test("a store that grows too large forgets the oldest, but not the task that is open", () => {
  const rows = Array.from({ length: 30 }, (_, index) => task(`t${index}`, { created_at: at(index) }));
  const state = prune(merge(NO_TASKS, rows, 1), 10, new Set(["t0"]));
  assert.equal(state.rows.size, 11);
  assert.ok(find(state, "t0") && find(state, "t29") && !find(state, "t1"));
  assert.equal(prune(state, 10, new Set()), state);
});

test("an event without a number counts as older than everything", () => {
  assert.equal(changeOf(""), -1);
  assert.equal(changeOf("12"), 12);
});

test("the names of known tasks are suggested once each", () => {
  assert.deepEqual(names(merge(NO_TASKS, [task("a"), task("b"), task("c", { func_name: "a" })], 1)), ["a", "send_email"]);
});
