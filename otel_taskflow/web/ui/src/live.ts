/** The live stream: one connection, opened again from the last change seen whenever it breaks. */

import { signal } from "@preact/signals";

import { parse } from "./json";
import type { Attempt, Health, LogEntry, Metrics, Task } from "./model";
import { changeOf } from "./store";
import { withQuery } from "./url";

export interface Listeners {
  tasks(tasks: Task[], metrics: Metrics | undefined, change: number): void;
  attempts(id: string, attempts: Attempt[], change: number): void;
  logs(id: string, entries: LogEntry[]): void;
  health(health: Health): void;
  /** Too much was missed: read everything again; what is known may be wrong if the store began anew. */
  resync(isAnew: boolean): void;
  /** The stream begins, with the figures of this change. */
  hello(metrics: Metrics, change: number): void;
  /** The server does not give the stream; it does not say why. */
  refused(): void;
}

/** `ended`: the server does not let us in any more, so nothing is tried until somebody has signed in again. */
export type Connection = "connecting" | "live" | "lost" | "ended";

const PATIENCE = 2500;
const FIRST_RETRY = 1000;
const LAST_RETRY = 15_000;
/** A page that nobody sees gives its connection back: browsers allow few to one server. */
const HIDDEN_FOR = 30_000;
/** A connection can die without a word. Where nothing is heard for so many signs of life, another one is opened; */
const SIGNS_MISSED = 2.5;
/** but not sooner than this: the server's store may take ten seconds to answer, */
const LEAST_SILENCE = 15_000;
/** nor later than a timer can tell. */
const MOST_SILENCE = 86_400_000;

export class Live {
  readonly connection = signal<Connection>("connecting");
  /** The last change seen. */
  change: number;
  private source: EventSource | null = null;
  /** The task whose log and attempts are followed. */
  task: string | null = null;
  private wholeHealth = false;
  private retryIn = FIRST_RETRY;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private alarm: ReturnType<typeof setTimeout> | undefined;
  private sleep: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private longestSilence = 75_000;

  constructor(
    private readonly address: string,
    change: number,
    private readonly listeners: Listeners,
  ) {
    this.change = change;
    document.addEventListener("visibilitychange", () => this.seen(!document.hidden));
    // A page that comes back from the browser's cache has lost its connection without a word.
    addEventListener("pageshow", (event) => event.persisted && this.openAgain());
    // Connections of the network before are dead, whatever they seem to be.
    addEventListener("online", () => this.source !== null && this.openAgain());
  }

  /** Follow all tasks, and the log and attempts of this one, or the figures of all parts. */
  open(task: string | null, wholeHealth = false): void {
    this.task = task;
    this.wholeHealth = wholeHealth;
    this.openAgain();
  }

  /** The session has ended. */
  end(): void {
    this.close();
    clearTimeout(this.alarm);
    this.alarm = undefined;
    this.connection.value = "ended";
  }

  /** The server lets us in: if it did not before, go on. */
  goOn(): void {
    if (this.connection.value !== "ended") return;
    this.connection.value = "connecting";
    this.openAgain();
  }

  private openAgain(): void {
    this.close();
    const after = this.change >= 0 ? this.change : null;
    const source = new EventSource(withQuery(this.address, { task: this.task, after, health: this.wholeHealth ? 1 : null }));
    this.source = source;
    source.onopen = () => this.opened();
    source.onerror = () => this.broken(source);
    this.listen(source);
    this.worry();
    this.heard();
  }

  private close(): void {
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    this.source?.close();
    this.source = null;
  }

  private listen(source: EventSource): void {
    const on = <T>(name: string, act: (data: T, change: number) => void) =>
      source.addEventListener(name, (event) => {
        const message = event as MessageEvent<string>;
        const change = changeOf(message.lastEventId);
        this.heard();
        act(parse(message.data) as T, change);
        this.change = Math.max(this.change, change);
      });
    on<{ change: number; metrics: Metrics; alive_every: number }>("hello", (data) => {
      this.longestSilence = Math.min(MOST_SILENCE, Math.max(LEAST_SILENCE, data.alive_every * 1000 * SIGNS_MISSED));
      this.heard();
      this.listeners.hello(data.metrics, data.change);
    });
    on<object>("alive", () => undefined);
    on<{ tasks: Task[]; metrics: Metrics }>("tasks", (data, change) => this.listeners.tasks(data.tasks, data.metrics, change));
    on<{ task_id: string; attempts: Attempt[] }>("attempts", (data, change) => this.listeners.attempts(data.task_id, data.attempts, change));
    on<{ task_id: string; entries: LogEntry[] }>("logs", (data) => this.listeners.logs(data.task_id, data.entries));
    on<Health>("health", (health) => this.listeners.health(health));
    on<object>("resync", (_, change) => {
      const isAnew = change < this.change;
      this.change = change;
      this.listeners.resync(isAnew);
    });
  }

  private opened(): void {
    clearTimeout(this.alarm);
    this.alarm = undefined;
    this.retryIn = FIRST_RETRY;
    this.connection.value = "live";
  }

  private heard(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.openAgain(), this.longestSilence);
  }

  private broken(source: EventSource): void {
    if (source !== this.source) return;
    this.worry();
    if (source.readyState !== EventSource.CLOSED) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.openAgain(), this.retryIn);
    this.retryIn = Math.min(LAST_RETRY, this.retryIn * 2);
    this.listeners.refused();
  }

  /** A short break is nobody's business; further failures do not put the alarm off. */
  private worry(): void {
    this.alarm ??= setTimeout(() => {
      this.alarm = undefined;
      const isOut = this.connection.value === "ended";
      if (this.source && this.source.readyState !== EventSource.OPEN && !isOut) this.connection.value = "lost";
    }, PATIENCE);
  }

  private seen(visible: boolean): void {
    clearTimeout(this.sleep);
    if (!visible) this.sleep = setTimeout(() => this.close(), HIDDEN_FOR);
    else if (this.source === null) this.openAgain();
  }
}
