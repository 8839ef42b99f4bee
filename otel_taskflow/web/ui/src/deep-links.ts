/** Links to where the telemetry is: fills the templates of the app, as the server does for the API. Without a browser. */

import type { Attempt, LinkTemplate, LogEntry, Place, Task } from "./model";

/** Milliseconds before and after what a link is about. */
const MARGIN = 60_000;

export interface Ready {
  name: string;
  url: string;
}

type Values = Readonly<Record<string, string | number>>;
type Templates = readonly LinkTemplate[];

/** Links of the task itself, and of the span of `add_task`. */
export const linksOfTask = (templates: Templates, task: Task, now: number): Ready[] =>
  fill(templates, ["task", "span"], { ...ofTask(task, now), ...ofSpan(task.trace_id, task.span_id) });

/** Links of the span in which `add_task` was called. */
export const linksOfRequest = (templates: Templates, task: Task, now: number): Ready[] =>
  fill(templates, ["span"], { ...ofTask(task, now), ...ofSpan(task.trace_id, task.parent_span_id) });

/** Links of an attempt and of its span. */
export function linksOfAttempt(templates: Templates, task: Task, attempt: Attempt, now: number): Ready[] {
  const span = ofSpan(attempt.trace_id, attempt.span_id);
  const base = around(task, Date.parse(attempt.start_time), time(attempt.end_time, now));
  return fill(templates, ["attempt", "span"], { ...base, ...span, attempt_number: attempt.attempt_number });
}

/** Links of a log line and of its attempt's span. */
export function linksOfLine(templates: Templates, task: Task, attempt: Attempt | undefined, entry: LogEntry): Ready[] {
  const moment = Date.parse(entry.time);
  return fill(templates, ["line", "span"], {
    ...around(task, moment, moment),
    ...(attempt ? ofSpan(attempt.trace_id, attempt.span_id) : {}),
    attempt_number: entry.attempt_number,
    line: entry.seq,
    line_uid: `${task.task_id}-${entry.attempt}-${entry.seq}`,
  });
}

/** A link is left out where one of its placeholders has no value. */
function fill(templates: Templates, places: readonly Place[], values: Values): Ready[] {
  return templates.flatMap(({ name, template, place }) => {
    const needed = [...template.matchAll(/\{([^{}]*)\}/g)].map((found) => found[1] ?? "");
    if (!places.includes(place) || !needed.every((each) => each in values)) return [];
    return [{ name, url: template.replace(/\{([^{}]*)\}/g, (_, each: string) => encode(String(values[each]))) }];
  });
}

/** Everything but letters, digits and `_.-~`, so that a value is one part of the URL and nothing else. */
function encode(value: string): string {
  const whole = value.replace(/[\ud800-\udfff]/gu, "?");
  return encodeURIComponent(whole).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

const ofTask = (task: Task, now: number): Values => around(task, Date.parse(task.created_at), time(task.end_time, now));

const around = (task: Task, start: number, end: number): Values => ({
  task_id: task.task_id,
  task_name: task.func_name,
  time: start,
  from: start - MARGIN,
  to: Math.max(start, end) + MARGIN,
});

function ofSpan(trace: string | null, span: string | null): Values {
  return trace && span ? { trace_id: trace, span_id: span, span_id_decimal: BigInt(`0x${span}`).toString() } : {};
}

const time = (iso: string | null, now: number): number => (iso === null ? Math.floor(now) : Date.parse(iso));
