/**
 * A task's log as rows of a long list. Two ways to hold it: by sequence number when the whole log is shown (any part can
 * be fetched by its number, so the end of 100,000 lines is as near as the start), and page by page when it is filtered.
 * Lines are known by their sequence number: a line that comes twice is one line. Pure.
 */

import type { Attempt, LogEntry } from "./model";

export type LogRow =
  | { readonly kind: "line"; readonly entry: LogEntry }
  | { readonly kind: "retry"; readonly attempt: number }
  /** Not fetched yet. */
  | { readonly kind: "missing"; readonly seq: number }
  /** The server does not have it, although there are later ones. */
  | { readonly kind: "lost"; readonly seq: number };

export const BLOCK = 1000;
/** New lines that a filtered log keeps while pages before them are not read. */
export const MOST_WAITING = 10_000;

/** Rows of the whole log; row numbers are sequence numbers, moved by the separators before them. */
export class WholeLog {
  private readonly entries: (LogEntry | undefined)[] = [];
  private readonly claimed = new Set<number>();
  /** By block that was read: the last line of it that there was. */
  private readonly readTo = new Map<number, number>();
  /** By attempt: where it begins as far as the attempts' counts say, and as far as loaded lines say. */
  private guesses: number[] = [];
  private readonly firsts: (number | undefined)[] = [];
  /** Sequence numbers before which the separators of retry 1, 2, ... stand. */
  private starts: number[] = [];
  private total = 0;

  /** Lines, known or not. */
  get lines(): number {
    return this.total;
  }

  get rows(): number {
    return this.total + this.starts.length;
  }

  /** What the server says there is. */
  expect(total: number, attempts: readonly Attempt[]): void {
    this.total = Math.max(this.total, total);
    this.guesses = [];
    let lines = 0;
    for (const attempt of attempts) {
      this.guesses[attempt.attempt] = lines + 1;
      lines += attempt.log_count;
    }
    this.placeSeparators();
  }

  add(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      this.entries[entry.seq] = entry;
      this.total = Math.max(this.total, entry.seq);
      // A late line belongs to an attempt before the one that it stands in.
      if (!entry.late) this.firsts[entry.attempt] = Math.min(entry.seq, this.firsts[entry.attempt] ?? entry.seq);
    }
    this.placeSeparators();
  }

  row(index: number): LogRow {
    for (const [before, start] of this.starts.entries()) {
      if (index === start - 1 + before) return { kind: "retry", attempt: before + 1 };
      if (index < start - 1 + before) return this.line(index - before + 1);
    }
    return this.line(index - this.starts.length + 1);
  }

  /** The row of a line. */
  indexOf(seq: number): number {
    return seq - 1 + this.starts.filter((start) => start <= seq).length;
  }

  /** The row of the separator before an attempt, counted from 0; the first attempt begins at the top. */
  startOf(attempt: number): number {
    const start = this.starts[attempt - 1];
    return start === undefined ? 0 : start - 1 + attempt - 1;
  }

  /** Blocks with lines between these rows that nobody has asked for; asking counts as having them. */
  claim(first: number, last: number): number[] {
    const from = Math.max(1, first - this.starts.length + 1);
    const to = Math.min(this.total, last + 1);
    const wanted: number[] = [];
    for (let block = Math.floor((from - 1) / BLOCK); block * BLOCK < to; block += 1) {
      if (this.claimed.has(block) || this.isComplete(block)) continue;
      this.claimed.add(block);
      wanted.push(block);
    }
    return wanted;
  }

  /** The request failed: somebody may ask again. */
  unclaim(block: number): void {
    this.claimed.delete(block);
  }

  /** A block has been read to its end: what is missing between its lines is not kept. */
  finish(block: number): void {
    let last = Math.min((block + 1) * BLOCK, this.total);
    while (last > block * BLOCK && this.entries[last] === undefined) last -= 1;
    this.readTo.set(block, last);
  }

  /** Is every line of this block there? */
  isComplete(block: number): boolean {
    const end = Math.min((block + 1) * BLOCK, this.total);
    for (let seq = block * BLOCK + 1; seq <= end; seq += 1) {
      if (this.entries[seq] === undefined) return false;
    }
    return true;
  }

  private line(seq: number): LogRow {
    const entry = this.entries[seq];
    if (entry) return { kind: "line", entry };
    return { kind: seq < (this.readTo.get(Math.floor((seq - 1) / BLOCK)) ?? 0) ? "lost" : "missing", seq };
  }

  private placeSeparators(): void {
    const last = Math.max(this.guesses.length, this.firsts.length) - 1;
    const starts: number[] = [];
    let next = this.total + 1;
    for (let attempt = last; attempt >= 1; attempt -= 1) {
      next = Math.min(next, this.placeOf(attempt) ?? next);
      starts[attempt - 1] = next;
    }
    this.starts = starts;
  }

  /** What a loaded line shows is better than what the counts promise. */
  private placeOf(attempt: number): number | undefined {
    const first = this.firsts[attempt];
    const guess = this.guesses[attempt];
    if (first === undefined || guess === undefined) return first ?? guess;
    return this.entries[first - 1] === undefined ? Math.min(first, guess) : first;
  }
}

/** Rows of a filtered log, in the order of the server's pages. */
export class FilteredLog {
  private readonly found: LogRow[] = [];
  /** By sequence number: the row of a line. */
  private readonly places = new Map<number, number>();
  private waiting: LogEntry[] = [];
  private lastAttempt: number | null = null;
  cursor: string | null = null;
  isComplete = false;

  get rows(): number {
    return this.found.length;
  }

  get lines(): number {
    return this.places.size;
  }

  row(index: number): LogRow {
    return this.found[index] ?? { kind: "missing", seq: index };
  }

  /** The row of a line, or null if it is not among those that are known. */
  indexOf(seq: number): number | null {
    return this.places.get(seq) ?? null;
  }

  add(entries: readonly LogEntry[], cursor: string | null): void {
    this.append(entries);
    this.cursor = cursor;
    this.isComplete = cursor === null;
    if (this.isComplete) this.append(this.waiting.splice(0));
  }

  /**
   * New lines of the live stream: they wait until everything before them is there. Those that came since the last page was
   * asked for are in none; the oldest of very many are in pages still to be read.
   */
  follow(entries: readonly LogEntry[]): void {
    if (this.isComplete) this.append(entries);
    else this.waiting = [...this.waiting, ...entries].slice(-MOST_WAITING);
  }

  private append(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (this.places.has(entry.seq)) continue;
      if (this.lastAttempt !== null && entry.attempt > this.lastAttempt) this.found.push({ kind: "retry", attempt: entry.attempt });
      this.lastAttempt = Math.max(entry.attempt, this.lastAttempt ?? 0);
      this.places.set(entry.seq, this.found.length);
      this.found.push({ kind: "line", entry });
    }
  }
}

const RANK: Record<string, number> = { debug: 0, info: 1, warning: 2, error: 3 };

export const isAtLeast = (level: string, least: string): boolean => (RANK[level] ?? 1) >= (RANK[least] ?? 0);

/** Why there was a retry: `after PaymentError, waited 2.00 s`. Empty when the attempt before is not known. */
export function cause(attempts: readonly Attempt[], attempt: number, waited: (seconds: number) => string): string {
  const before = attempts.find((each) => each.attempt === attempt - 1);
  const own = attempts.find((each) => each.attempt === attempt);
  if (!before) return "";
  const why = before.error_type ?? before.status.replace("_", " ");
  if (!before.end_time || !own) return `after ${why}`;
  return `after ${why}, waited ${waited(Math.max(0, Date.parse(own.start_time) - Date.parse(before.end_time)) / 1000)}`;
}
