/** The shapes of the JSON API, and the few words that are derived from them. */

export type Status = "pending" | "running" | "success" | "failed" | "interrupted" | "cancelled";

/** What a person sees: a running task that waits for its next attempt says so. */
export type Shown = Status | "waiting";

export type AttemptStatus = "running" | "succeeded" | "failed" | "retrying" | "timed_out" | "cancelled" | "interrupted";

export const STATUSES: readonly Status[] = ["pending", "running", "success", "failed", "interrupted", "cancelled"];

export interface Task {
  task_id: string;
  func_name: string;
  status: Status;
  created_at: string;
  start_time: string | null;
  end_time: string | null;
  duration: number | null;
  error: string | null;
  stacktrace: string | null;
  tags: Record<string, string>;
  source: string;
  executor: string | null;
  attempt_count: number;
  max_attempts: number;
  waiting_until: string | null;
  reason: string | null;
  trace_id: string | null;
  span_id: string | null;
  /** The span in which the task was added. */
  parent_span_id: string | null;
  retry_of: string | null;
  retried_as: string | null;
  log_count: number;
  held: boolean;
  recoverable: boolean;
  args?: unknown[] | null;
  kwargs?: Record<string, unknown> | null;
}

export interface Attempt {
  attempt: number;
  attempt_number: number;
  status: AttemptStatus;
  start_time: string;
  end_time: string | null;
  duration: number | null;
  queue_wait: number;
  error_type: string | null;
  error: string | null;
  stacktrace: string | null;
  trace_id: string | null;
  span_id: string | null;
  worker: string;
  log_count: number;
  late_end: boolean;
}

export interface Detail extends Task {
  attempts: Attempt[];
}

export interface LogEntry {
  seq: number;
  time: string;
  level: string;
  message: string;
  extra: Record<string, unknown>;
  attempt: number;
  attempt_number: number;
  logger: string | null;
  late: boolean;
}

export interface LogPage {
  entries: LogEntry[];
  cursor: string | null;
}

export type Metrics = Record<Status, number> & {
  total: number;
  success_rate: number;
  avg_duration_seconds: number;
  dropped: Record<string, number>;
};

export interface ListSeed {
  change: number;
  tasks: Task[];
  cursor: string | null;
  metrics: Metrics;
}

export interface TaskSeed {
  change: number;
  task: Detail | null;
}

export type Wellness = "ok" | "degraded" | "failed";

/** How one part of the process is. */
export interface Part {
  part: string;
  state: Wellness;
  why: string;
  remedy: string;
  /** Only where all parts are told. */
  figures?: Record<string, number | bigint | string | boolean | null>;
}

export interface Health {
  state: Wellness;
  parts: Part[];
}

/** What a template of a link is about. */
export type Place = "task" | "span" | "attempt" | "line";

/** A link to where the telemetry is, with `{placeholders}`. */
export interface LinkTemplate {
  name: string;
  template: string;
  place: Place;
}

/** The block of data in the page: where the API is, and what can be shown at once. */
export interface Seed {
  base: string;
  title: string;
  version: string;
  initial: ListSeed | TaskSeed | null;
  health: Health;
  links: readonly LinkTemplate[];
}

export const isFinal = (status: Status): boolean => status !== "pending" && status !== "running";

/** What succeeded is not run again by hand. */
export const isRetryable = (status: Status): boolean => isFinal(status) && status !== "success";

export const shown = (task: Pick<Task, "status" | "waiting_until">): Shown =>
  task.status === "running" && task.waiting_until !== null ? "waiting" : task.status;

/** The task's own picture for the outcome of one attempt. */
export const shownAttempt = (status: AttemptStatus): Shown =>
  ({
    running: "running",
    succeeded: "success",
    failed: "failed",
    retrying: "failed",
    timed_out: "failed",
    cancelled: "cancelled",
    interrupted: "interrupted",
  })[status] as Shown;
