/** Fetches the parts of a log that are looked at, and takes over what the live stream brings. */

import { signal } from "@preact/signals";

import { type Api, explain, type Problem } from "./api";
import { BLOCK, FilteredLog, isAtLeast, type LogRow, WholeLog } from "./logs";
import type { Attempt, LogEntry } from "./model";
import type { Level } from "./url";

const FILTERED_PAGE = 2000;
/** Lines of attempts before may be mixed into a block; further pages of it bring the rest. */
const PAGES_A_BLOCK = 20;

export interface LogFilter {
  level: Level | null;
  /** Counted from 1. */
  attempt: number | null;
}

export class LogController {
  /** Grows with every change; who reads it is drawn again. */
  readonly version = signal(0);
  readonly problem = signal<Problem | null>(null);
  private readonly whole = new WholeLog();
  private readonly filtered: FilteredLog | null;
  private reading: Promise<void> | null = null;
  private isClosed = false;

  constructor(
    private readonly api: Api,
    readonly id: string,
    readonly filter: LogFilter,
  ) {
    this.filtered = filter.level === null && filter.attempt === null ? null : new FilteredLog();
    if (this.filtered) void this.readOn();
  }

  get rows(): number {
    return this.log.rows;
  }

  get lines(): number {
    return this.log.lines;
  }

  /** Is the number of lines known? */
  get isCounted(): boolean {
    return this.filtered === null || this.filtered.isComplete;
  }

  row(index: number): LogRow {
    return this.log.row(index);
  }

  /** The row of a line, or null if it is not among those that are known. */
  indexOf(seq: number): number | null {
    if (this.filtered !== null) return this.filtered.indexOf(seq);
    return seq <= this.whole.lines ? this.whole.indexOf(seq) : null;
  }

  expect(total: number, attempts: readonly Attempt[]): void {
    this.whole.expect(total, attempts);
    this.changed();
  }

  /** Lines of the live stream. */
  add(entries: readonly LogEntry[]): void {
    if (this.filtered === null) this.whole.add(entries);
    else this.filtered.follow(entries.filter((entry) => this.isWanted(entry)));
    this.changed();
  }

  /** These rows are looked at. */
  ensure(first: number, last: number): void {
    if (this.filtered === null) {
      for (const block of this.whole.claim(first, last)) void this.readBlock(block);
    } else if (last >= this.filtered.rows - FILTERED_PAGE / 2) {
      void this.readOn();
    }
  }

  /** Fetch what is missing before the end can be shown. */
  async reachEnd(): Promise<void> {
    while (this.hasMore) await this.readOn();
  }

  /** Fetch what is missing before this line can be shown; all that is wanted, if the line is none of it. */
  async reach(seq: number): Promise<void> {
    while (this.indexOf(seq) === null && this.hasMore) await this.readOn();
  }

  /** After a failure, or when too much was missed. */
  again(): void {
    this.problem.value = null;
    if (this.filtered) void this.readOn();
    this.changed();
  }

  close(): void {
    this.isClosed = true;
  }

  private get hasMore(): boolean {
    return this.filtered !== null && !this.filtered.isComplete && !this.isClosed && this.problem.value === null;
  }

  private get log(): WholeLog | FilteredLog {
    return this.filtered ?? this.whole;
  }

  private isWanted(entry: LogEntry): boolean {
    const { level, attempt } = this.filter;
    return (level === null || isAtLeast(entry.level, level)) && (attempt === null || entry.attempt_number === attempt);
  }

  private async readBlock(block: number): Promise<void> {
    await this.guarded(
      async () => {
        let after: string | null = String(block * BLOCK);
        for (let page = 0; after !== null && page < PAGES_A_BLOCK; page += 1) {
          const answer = await this.api.logs(this.id, { after, limit: BLOCK });
          this.whole.add(answer.entries);
          this.changed();
          after = this.whole.isComplete(block) ? null : answer.cursor;
        }
        this.whole.finish(block);
        this.changed();
      },
      () => this.whole.unclaim(block),
    );
  }

  private readOn(): Promise<void> {
    this.reading ??= this.guarded(() => this.readPage(), () => undefined).finally(() => {
      this.reading = null;
    });
    return this.reading;
  }

  private async readPage(): Promise<void> {
    const filtered = this.filtered;
    if (!filtered || filtered.isComplete) return;
    const answer = await this.api.logs(this.id, { ...this.filter, after: filtered.cursor, limit: FILTERED_PAGE });
    filtered.add(answer.entries, answer.cursor);
    this.changed();
  }

  private async guarded(read: () => Promise<void>, undo: () => void): Promise<void> {
    if (this.isClosed) return;
    try {
      await read();
      this.problem.value = null;
    } catch (error) {
      undo();
      this.problem.value = explain("The log cannot be read.", error);
    }
  }

  private changed(): void {
    this.version.value += 1;
  }
}
