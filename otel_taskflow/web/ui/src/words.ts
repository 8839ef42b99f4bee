/** What states and reasons are called, and what is being waited for. Pure. */

import { countdown } from "./format";
import { isFinal, type Shown, shown, type Task } from "./model";

export const WORDS: Record<Shown, string> = {
  pending: "Pending",
  waiting: "Waiting",
  running: "Running",
  success: "Success",
  failed: "Failed",
  interrupted: "Interrupted",
  cancelled: "Cancelled",
};

const REASONS: Record<string, string> = {
  request_failed: "The request that added it failed, so it was never started.",
  request_lost: "The process ended before the request that added it was answered.",
  process_died: "The process that ran it ended before it was done.",
  shutdown: "The app was stopped before it was done.",
  user: "Cancelled by hand.",
  expired: "It had not started in time.",
  arguments_not_kept: "It had not started when its process ended, and its arguments could not be kept.",
  thread_still_running: "Its function went on after the attempt was given up: a thread cannot be stopped.",
  loop_closed: "Its event loop was closed under it.",
};

/** Why a task is in its state; null when the state says it all. */
export function reason(task: Task, now: number): string | null {
  if (task.reason !== null) return REASONS[task.reason] ?? task.reason.replaceAll("_", " ");
  switch (shown(task)) {
    case "pending":
      return task.held ? "Waits until the request that added it has been answered." : "Queued: waits for a free place to run.";
    case "waiting":
      return `Attempt ${task.attempt_count + 1} ${dueIn(task, now)}.`;
    default:
      return null;
  }
}

/** What a verb has done. */
export function doneBy(verb: "retry" | "cancel", task: Task): string {
  if (verb === "retry") return "Started again as this new task.";
  return isFinal(task.status) ? "Cancelled." : "Asked the process that runs it to cancel it.";
}

/** `in 12 s`, then `is due`. */
export function dueIn(task: Task, now: number): string {
  const left = task.waiting_until === null ? 0 : Date.parse(task.waiting_until) - now;
  return left > 0 ? `starts in ${countdown(left)}` : "is due";
}

const OUTCOMES: Record<string, string> = {
  running: "Running",
  succeeded: "Succeeded",
  failed: "Failed",
  retrying: "Failed, retried",
  timed_out: "Timed out",
  cancelled: "Cancelled",
  interrupted: "Interrupted",
};

export const outcome = (status: string): string => OUTCOMES[status] ?? status;

/** `PaymentError` for `shop.payments.PaymentError`. */
export const shortType = (type: string): string => type.slice(type.lastIndexOf(".") + 1);
