import assert from "node:assert/strict";
import { test } from "node:test";

import { baseOf, EVERYTHING, HEALTH, href, parse, tagOf, tagText, taskView, type View, withQuery } from "../src/url";

const read = (address: string): View => {
  const url = new URL(address, "http://host");
  return parse("/app/tasks", url.pathname, url.search);
};

test("every view survives its address", () => {
  const views: View[] = [
    EVERYTHING,
    { page: "list", status: "failed", name: "send_email", tag: "customer:c:7", trace: null },
    { ...EVERYTHING, trace: "0af7651916cd43dd8448eb211c80319c" },
    taskView("a1"),
    taskView("7b1c9c3e-1", { tab: "logs", attempt: 2, level: "warning", line: 100000, extras: true }),
    taskView("x:y.z", { tab: "error" }),
    HEALTH,
  ];
  for (const view of views) assert.deepEqual(read(href("/app/tasks", view)), view);
});

test("defaults are left out of addresses", () => {
  assert.equal(href("/tasks", EVERYTHING), "/tasks/dashboard");
  assert.equal(href("/tasks", taskView("a1")), "/tasks/dashboard/tasks/a1");
  assert.equal(href("/tasks", taskView("a1", { tab: "logs", attempt: 2 })), "/tasks/dashboard/tasks/a1?tab=logs&attempt=2");
});

test("what an address cannot mean is left out", () => {
  assert.deepEqual(read("/app/tasks/dashboard?status=nonsense&tag=nocolon&func_name=&trace_id=xyz"), EVERYTHING);
  assert.deepEqual(read("/app/tasks/dashboard/tasks/a1?tab=x&attempt=0&level=loud&line=-3"), taskView("a1"));
  assert.deepEqual(read("/app/tasks/dashboard/tasks/%E0%A4%A"), taskView("%E0%A4%A"));
});

test("every tag survives being asked for", () => {
  for (const [key, value] of [["a", "b:c"], ["a:b", "c"], ["", "e"], ["\\", "\\:"], ["\\:", ""], ["a\nb", "\n"]] as const) {
    assert.deepEqual(tagOf(tagText(key, value)), { key, value });
    const view: View = { ...EVERYTHING, tag: tagText(key, value) };
    assert.deepEqual(read(href("/app/tasks", view)), view);
  }
  assert.equal(tagOf("nocolon"), null);
  assert.equal(tagOf("no\\:colon"), null);
});

test("only parameters with a value become a query", () => {
  assert.equal(withQuery("/a", { x: null, y: null }), "/a");
  assert.equal(withQuery("/a", { x: 1, y: "b c", z: null }), "/a?x=1&y=b+c");
});

test("a prefix that the server does not know of is read from the address", () => {
  assert.equal(baseOf("/proxy/app/tasks/dashboard", "/tasks"), "/proxy/app/tasks");
  assert.equal(baseOf("/proxy/tasks/dashboard/tasks/a.b", "/tasks"), "/proxy/tasks");
  assert.equal(baseOf("/dashboard/dashboard/tasks/x", "/dashboard"), "/dashboard");
  assert.equal(baseOf("/proxy/tasks/dashboard/health", "/tasks"), "/proxy/tasks");
  assert.equal(baseOf("/elsewhere", "/tasks"), "/tasks");
});
