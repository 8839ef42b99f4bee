/**
 * What the page knows of the open task's attempts: the stream tells those that changed, an answer all of them.
 * An attempt gives way only to one that is as new or newer. Pure.
 */

import type { Attempt, Task } from "./model";

interface Row {
  readonly attempt: Attempt;
  readonly change: number;
}

export interface Attempts {
  readonly rows: ReadonlyMap<number, Row>;
  /** Are all of them known? */
  readonly isWhole: boolean;
}

export const NO_ATTEMPTS: Attempts = { rows: new Map(), isWhole: false };

/** Take over attempts that reflect everything up to `change`. */
export function merge(state: Attempts, attempts: readonly Attempt[], change: number, isWhole = false): Attempts {
  const rows = new Map(state.rows);
  for (const attempt of attempts) {
    if (change >= (rows.get(attempt.attempt)?.change ?? -1)) rows.set(attempt.attempt, { attempt, change });
  }
  return { rows, isWhole: state.isWhole || isWhole };
}

/** In order; null until all are known. */
export function inOrder(state: Attempts): readonly Attempt[] | null {
  if (!state.isWhole) return null;
  return [...state.rows.values()].map((row) => row.attempt).sort((a, b) => a.attempt - b.attempt);
}

/** Lines of an attempt. While it runs, they are what the others leave of the task's. */
export function linesOf(attempt: Attempt, attempts: readonly Attempt[], task: Pick<Task, "log_count">): number {
  if (attempt.status !== "running") return attempt.log_count;
  const others = attempts.reduce((sum, each) => (each === attempt ? sum : sum + each.log_count), 0);
  return Math.max(attempt.log_count, task.log_count - others);
}
