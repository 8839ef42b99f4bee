import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes, facts, flows, partName, sentence, troubled } from "../src/health";
import { parse } from "../src/json";
import type { Part } from "../src/model";

const NOW = Date.parse("2026-01-01T12:00:00Z");

const tempo: Part = {
  part: "destination:tempo",
  state: "degraded",
  why: "",
  remedy: "",
  figures: {
    "traces.backlog": 1200,
    "traces.backlog_bytes": 3_400_000,
    "traces.oldest": (NOW - 60_000) * 1e6,
    "traces.delivered": 7,
    "traces.delivered_bytes": 900,
    "traces.dropped.disk_budget": 3,
    "traces.dropped.age_limit": 1,
    "traces.bytes_a_day": 12_345,
    "traces.last_error": "it answered 503",
    "traces.endpoint": "http://tempo:4318/v1/traces",
    "logs.backlog": 0,
    "logs.bytes_a_day": null,
    "logs.last_error": null,
    "logs.refusal": "bad <b>record</b>\u202e",
  },
};

test("a destination tells for each signal what waits, went, was lost, and how much that is a day", () => {
  const [traces, logs] = flows(tempo, NOW);
  assert.deepEqual(traces?.facts, [
    ["Waiting", "1,200 · 3.4 MB · oldest 1 min ago"],
    ["Delivered", "7 · 900 B"],
    ["Lost", "disk budget 3, age limit 1"],
    ["A day, about", "12.3 kB"],
  ]);
  assert.equal(traces?.trouble, "it answered 503");
  assert.deepEqual(logs?.facts.map(([, text]) => text), ["0", "0 · 0 B", "0", "known after a minute"]);
  assert.equal(logs?.trouble, "bad <b>record</b>\\u202e");
});

test("a time in nanoseconds is read, though its digits are more than a number of JavaScript holds", () => {
  const text = `{"part": "destination:tempo", "figures": {"traces.backlog": 1, "traces.oldest": ${NOW - 60_000}123457}, "state": "ok", "why": "", "remedy": ""}`;
  assert.deepEqual(flows(parse(text) as Part, NOW)[0]?.facts[0], ["Waiting", "1 · 0 B · oldest 1 min ago"]);
});

test("parts have names for people", () => {
  assert.equal(partName("destination:tempo"), "Destination tempo");
  assert.equal(partName("journal"), "Journal");
});

test("sentences begin and end as sentences do", () => {
  assert.equal(sentence("it hangs"), "It hangs.");
  assert.equal(sentence("http://x: refused."), "http://x: refused.");
  assert.equal(sentence(""), "");
});

test("sizes have three figures at most", () => {
  assert.deepEqual([0, 999, 1000, 99_949, 1_000_000, 2.5e12, 7e15].map(bytes), ["0 B", "999 B", "1.0 kB", "99.9 kB", "1.0 MB", "2.5 TB", "7000 TB"]);
});

test("only what is not well is troubled, and figures without a value are left out", () => {
  const store: Part = { part: "store", state: "ok", why: "", remedy: "", figures: { bytes: 2000, writable: true, location: "", lag: null, events: 5000 } };
  assert.deepEqual(troubled({ state: "degraded", parts: [store, tempo] }), [tempo]);
  assert.deepEqual(facts(store), [["bytes", "2.0 kB"], ["writable", "yes"], ["events", "5,000"]]);
});
