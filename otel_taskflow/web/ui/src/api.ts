/** Requests to the JSON API, and what to tell people when one fails. */

import { parse } from "./json";
import type { Detail, LogPage, Metrics, Seed, Task } from "./model";
import { type Level, type ListView, withQuery } from "./url";

/** An answer that is none, with the server's own words about it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    detail: string,
    /** What is not in the store yet may be on its way. */
    readonly isBehind = false,
  ) {
    super(detail);
  }

  /** What was asked for is not there, and will not come. */
  get isGone(): boolean {
    return this.status === 404 && !this.isBehind;
  }
}

/** A problem as it is shown: what does not work, why, and what to do next. */
export interface Problem {
  what: string;
  why: string;
  next: string;
}

export interface TaskPage {
  tasks: Task[];
  cursor: string | null;
}

export interface LogQuestion {
  after?: string | number | null;
  limit: number;
  level?: Level | null;
  attempt?: number | null;
}

export class Api {
  /** Milliseconds by which the server's clock is ahead; what is below the resolution of its header counts as none. */
  skew = 0;
  /** Told with each answer: does the server let us in? */
  onAnswer: (isLetIn: boolean) => void = () => undefined;

  constructor(private readonly base: string) {}

  async list(view: ListView, limit: number, cursor: string | null): Promise<TaskPage> {
    const query = { status: view.status, func_name: view.name, tag: view.tag, trace_id: view.trace, limit, cursor };
    const response = await this.send(withQuery(this.base, query));
    return { tasks: (await read(response)) as Task[], cursor: nextCursor(response.headers.get("link")) };
  }

  async task(id: string): Promise<Detail> {
    return (await read(await this.send(this.path(id)))) as Detail;
  }

  async metrics(): Promise<Metrics> {
    return (await read(await this.send(`${this.base}/metrics`))) as Metrics;
  }

  async logs(id: string, question: LogQuestion): Promise<LogPage> {
    const { after = null, limit, level = null, attempt = null } = question;
    const response = await this.send(withQuery(`${this.path(id)}/logs`, { after, limit, level, attempt }));
    return (await read(response)) as LogPage;
  }

  /** Retry or cancel. The row of the new task, or of the cancelled one. */
  async obey(verb: "retry" | "cancel", id: string): Promise<Task> {
    const response = await this.send(`${this.path(id)}/${verb}`, {
      method: "POST",
      headers: { "X-Otel-Taskflow": "1" },
    });
    return ((await read(response)) as { task: Task }).task;
  }

  /** Where the whole log is plain text. */
  text(id: string): string {
    return `${this.path(id)}/logs.txt`;
  }

  private path(id: string): string {
    return `${this.base}/${encodeURIComponent(id)}`;
  }

  private async send(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(path, { credentials: "same-origin", ...init });
    this.noteTime(response.headers.get("date"));
    if (response.ok || response.status === 401) this.onAnswer(response.ok);
    if (!response.ok) throw new ApiError(response.status, await detailOf(response), response.headers.has("x-taskflow-behind"));
    return response;
  }

  private noteTime(date: string | null): void {
    const ahead = date === null ? Number.NaN : Date.parse(date) + 500 - Date.now();
    if (!Number.isNaN(ahead)) this.skew = Math.abs(ahead) > 2000 ? ahead : 0;
  }
}

export const makeApi = (seed: Seed): Api => new Api(seed.base);

/** Say what a failure means. */
export function explain(what: string, error: unknown): Problem {
  if (!(error instanceof ApiError)) {
    return { what, why: "The server does not answer.", next: "Check that the app is running; this page tries again by itself." };
  }
  if (error.status === 401) {
    return { what, why: "Your session has ended.", next: "Reload the page and sign in again." };
  }
  if (error.status >= 500) {
    return { what, why: error.message, next: "The app's own log says more. This page tries again when something changes." };
  }
  return { what, why: error.message, next: "Reload the page to see how things stand now." };
}

/** The cursor in `<?limit=50&cursor=abc>; rel="next"`. */
export function nextCursor(link: string | null): string | null {
  const query = /<[^>]*\?([^>]*)>\s*;\s*rel="?next"?/.exec(link ?? "")?.[1];
  return query === undefined ? null : new URLSearchParams(query).get("cursor");
}

const read = async (response: Response): Promise<unknown> => parse(await response.text());

async function detailOf(response: Response): Promise<string> {
  const fallback = `The server answered ${response.status} ${response.statusText}`.trim();
  try {
    const { detail } = (await read(response)) as { detail?: unknown };
    if (typeof detail === "string") return detail;
    return Array.isArray(detail) ? detail.map((each) => String((each as { msg?: unknown }).msg)).join("; ") : fallback;
  } catch {
    return fallback;
  }
}
