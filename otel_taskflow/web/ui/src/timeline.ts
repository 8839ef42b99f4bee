/** The geometry of the attempt waterfall: when what happened, as shares of the whole. Pure. */

import { type Attempt, type Task, isFinal } from "./model";

/** Milliseconds and shares (0 to 1) of the time that is shown. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly left: number;
  readonly width: number;
  /** Seconds. */
  readonly seconds: number;
}

export interface Bar {
  readonly attempt: Attempt;
  /** From being ready, or from the end of the attempt before, to the start. */
  readonly wait: Span | null;
  readonly run: Span;
  readonly running: boolean;
}

export interface Timeline {
  readonly start: number;
  readonly end: number;
  readonly bars: readonly Bar[];
  /** What is being waited for: the first attempt or the next one. */
  readonly pending: Span | null;
  readonly ticks: readonly Tick[];
}

export interface Tick {
  readonly at: number;
  readonly seconds: number;
}

const TICKS = 5;

/** Lay out a task's attempts between its creation and its end, or `now` while it is not over. */
export function timeline(task: Task, attempts: readonly Attempt[], now: number): Timeline {
  const created = Date.parse(task.created_at);
  const start = Math.min(created, ...attempts.map((each) => Date.parse(each.start_time)));
  const end = Math.max(endOf(task, attempts, now), start + 1);
  const span = (from: number, to: number, seconds?: number | null): Span => ({
    start: from,
    end: to,
    left: share(from - start, end - start),
    width: share(Math.max(0, to - from), end - start),
    seconds: seconds ?? Math.max(0, to - from) / 1000,
  });
  let before = created;
  const bars = attempts.map((attempt): Bar => {
    const from = Date.parse(attempt.start_time);
    const running = attempt.end_time === null;
    const to = attempt.end_time === null ? Math.max(from, now) : Date.parse(attempt.end_time);
    const wait = from > before ? span(before, from) : null;
    before = to;
    return { attempt, wait, run: span(from, to, attempt.duration), running };
  });
  const last = bars.at(-1);
  const isWaiting = !isFinal(task.status) && !last?.running;
  return { start, end, bars, pending: isWaiting ? span(before, end) : null, ticks: ticks((end - start) / 1000) };
}

function endOf(task: Task, attempts: readonly Attempt[], now: number): number {
  const ends = attempts.map((each) => (each.end_time ? Date.parse(each.end_time) : now));
  if (isFinal(task.status)) return Math.max(...ends, task.end_time ? Date.parse(task.end_time) : 0);
  return Math.max(now, ...ends, task.waiting_until ? Date.parse(task.waiting_until) : 0);
}

const share = (part: number, whole: number): number => Math.min(1, Math.max(0, part / whole));

/** Round points in time, at most five: 0, 1 s, 2 s, ... */
export function ticks(seconds: number): Tick[] {
  const step = niceStep(seconds / TICKS);
  const found: Tick[] = [];
  for (let at = 0; at <= seconds * 1.0001 && found.length <= TICKS; at += step) {
    found.push({ at: share(at, seconds), seconds: at });
  }
  return found;
}

const NICE = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

function niceStep(least: number): number {
  const large = NICE.find((each) => each >= least);
  if (least >= 1) return large ?? Math.ceil(least / 86400) * 86400;
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-6)));
  return ([1, 2, 5, 10].find((each) => each * power >= least * 0.9999) ?? 10) * power;
}
