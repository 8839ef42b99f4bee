import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { linksOfAttempt, linksOfLine, linksOfRequest, linksOfTask, type Ready } from "../src/deep-links";
import type { Attempt, LinkTemplate, LogEntry, Task } from "../src/model";
import { attempt, task } from "./make";

/** What the server made of the same: the two must never differ. */
interface Example {
  templates: LinkTemplate[];
  task: Task;
  attempt: Attempt;
  line: LogEntry;
  now: number;
  of_task: Record<string, string>;
  of_request: Record<string, string>;
  of_attempt: Record<string, string>;
  of_line: Record<string, string>;
}

const examples = JSON.parse(readFileSync("test/deep-links.json", "utf8")) as Example[];
const byName = (links: readonly Ready[]): Record<string, string> => Object.fromEntries(links.map(({ name, url }) => [name, url]));

test("the page fills templates as the server does", () => {
  assert.ok(examples.length > 1);
  for (const each of examples) {
    assert.deepEqual(byName(linksOfTask(each.templates, each.task, each.now)), each.of_task);
    assert.deepEqual(byName(linksOfRequest(each.templates, each.task, each.now)), each.of_request);
    assert.deepEqual(byName(linksOfAttempt(each.templates, each.task, each.attempt, each.now)), each.of_attempt);
    assert.deepEqual(byName(linksOfLine(each.templates, each.task, each.attempt, each.line)), each.of_line);
  }
});

test("a link is left out where one of its placeholders has no value", () => {
  const templates: LinkTemplate[] = [
    { name: "Trace", template: "https://t/{trace_id}", place: "span" },
    { name: "Runbook", template: "https://w/{task_name}", place: "task" },
  ];
  assert.deepEqual(byName(linksOfTask(templates, task("a1"), 0)), { Runbook: "https://w/send_email" });
  assert.deepEqual(linksOfRequest(templates, task("a1", { trace_id: "ab" }), 0), []);
  assert.deepEqual(linksOfAttempt(templates, task("a1"), attempt(0, 0, 1), 0), []);
});
