import type { Attempt, LogEntry, Metrics, Task } from "../src/model";

export const at = (seconds: number): string => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();

export const task = (id: string, part: Partial<Task> = {}): Task => ({
  task_id: id,
  func_name: "send_email",
  status: "success",
  created_at: at(0),
  start_time: at(0),
  end_time: at(1),
  duration: 1,
  error: null,
  stacktrace: null,
  tags: {},
  source: "manual",
  executor: "thread",
  attempt_count: 1,
  max_attempts: 1,
  waiting_until: null,
  reason: null,
  trace_id: null,
  span_id: null,
  parent_span_id: null,
  retry_of: null,
  retried_as: null,
  log_count: 0,
  held: false,
  recoverable: true,
  ...part,
});

export const attempt = (number: number, start: number, end: number | null, part: Partial<Attempt> = {}): Attempt => ({
  attempt: number,
  attempt_number: number + 1,
  status: end === null ? "running" : "succeeded",
  start_time: at(start),
  end_time: end === null ? null : at(end),
  duration: end === null ? null : end - start,
  queue_wait: 0,
  error_type: null,
  error: null,
  stacktrace: null,
  trace_id: null,
  span_id: null,
  worker: "w",
  log_count: 0,
  late_end: false,
  ...part,
});

export const line = (seq: number, attempt = 0, part: Partial<LogEntry> = {}): LogEntry => ({
  seq,
  time: at(seq),
  level: "info",
  message: `line ${seq}`,
  extra: {},
  attempt,
  attempt_number: attempt + 1,
  logger: null,
  late: false,
  ...part,
});

export const metrics = (total: number): Metrics => ({
  total,
  pending: 0,
  running: 0,
  success: total,
  failed: 0,
  interrupted: 0,
  cancelled: 0,
  success_rate: 1,
  dropped: {},
  avg_duration_seconds: 0,
});
