import assert from "node:assert/strict";
import { test } from "node:test";

import { ago, call, countdown, duration, moment, oneLine, percent, plural, preciseTime, tickLabel, utc, value, visible } from "../src/format";

test("durations have three significant figures and a unit", () => {
  const cases: [number | null, string][] = [
    [null, "–"],
    [Number.NaN, "–"],
    [0, "0 ms"],
    [0.0004, "0.4 ms"],
    [0.34, "340 ms"],
    [0.9994, "999 ms"],
    [0.9996, "1.00 s"],
    [2.414, "2.41 s"],
    [9.996, "10.0 s"],
    [59.94, "59.9 s"],
    [59.96, "1 min 00 s"],
    [192, "3 min 12 s"],
    [7500, "2 h 05 min"],
    [90000, "1 d 01 h"],
    [-1, "0 ms"],
  ];
  for (const [seconds, text] of cases) assert.equal(duration(seconds), text, `${seconds}`);
});

test("an age is told in the largest unit, then as a date", () => {
  const now = Date.parse("2026-03-10T12:00:00Z");
  assert.equal(ago("2026-03-10T11:59:59.500Z", now), "now");
  assert.equal(ago("2026-03-10T11:59:30Z", now), "30 s ago");
  assert.equal(ago("2026-03-10T11:50:00Z", now), "10 min ago");
  assert.equal(ago("2026-03-10T02:00:00Z", now), "10 h ago");
  assert.equal(ago("2026-03-05T12:00:00Z", now), "5 Mar");
  assert.equal(ago("2025-03-05T12:00:00Z", now), "5 Mar 2025");
});

test("a moment of today is a time, one of another day has its date", () => {
  const noon = new Date(2026, 2, 10, 12, 0, 0);
  assert.equal(moment(noon.toISOString(), noon.getTime() + 1000), "12:00:00");
  assert.equal(moment(noon.toISOString(), noon.getTime() + 86_400_000), "10 Mar, 12:00:00");
});

test("a log's time has milliseconds, and its title the whole of it in UTC", () => {
  assert.equal(preciseTime(new Date(2026, 2, 10, 1, 2, 3, 4).toISOString()), "01:02:03.004");
  assert.equal(utc("2026-03-10T01:02:03.000004+00:00"), "2026-03-10 01:02:03.000004 UTC");
  assert.equal(utc("2026-03-10T01:02:03.004Z"), "2026-03-10 01:02:03.004 UTC");
});

test("values stand as they are, other JSON as JSON", () => {
  assert.equal(value("a b"), "a b");
  assert.equal(value({ a: [1, null] }), '{"a":[1,null]}');
  assert.equal(value(undefined), "");
});

test("a call reads as it was written", () => {
  assert.equal(call([1, "x"], { order_id: 42 }), '1, "x", order_id=42');
  assert.equal(call(null, null), "");
});

test("a share that is not all is never shown as all", () => {
  assert.equal(percent(1), "100 %");
  assert.equal(percent(0), "0 %");
  assert.equal(percent(0.99999), "99.9 %");
  assert.equal(percent(0.00001), "0.1 %");
});

test("counts agree with their noun", () => {
  assert.equal(plural(1, "line"), "1 line");
  assert.equal(plural(1200, "line"), "1,200 lines");
  assert.equal(plural(2, "retry", "retries"), "2 retries");
});

test("a countdown never runs below zero", () => {
  assert.equal(countdown(-50), "0 s");
  assert.equal(countdown(11_200), "12 s");
});

test("what steers text or cannot be seen is written out", () => {
  assert.equal(visible("a\u202eb\u0000\u200b\tc\nd"), "a\\u202eb\\u0000\\u200b\tc\nd");
  for (const steering of "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029") {
    assert.equal(visible(steering), `\\u${steering.charCodeAt(0).toString(16).padStart(4, "0")}`);
  }
  assert.equal(oneLine("a\r\nb\nc"), "a ⏎ b ⏎ c");
  assert.equal(visible("Grüße 漢字 👩‍🚀"), "Grüße 漢字 👩‍🚀");
});

test("round points in time have no decimals", () => {
  const labels = [0, 0.0025, 0.05, 0.5, 1.5, 2, 10, 60, 120, 3600].map(tickLabel);
  assert.deepEqual(labels, ["0", "2.5 ms", "50 ms", "500 ms", "1.5 s", "2 s", "10 s", "1 min", "2 min", "1 h"]);
});
