/** What there is to know about a task at a glance. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect } from "preact/hooks";

import { linksOfRequest, linksOfTask, type Ready } from "../deep-links";
import { duration, plural, visible } from "../format";
import { write } from "../json";
import { type Attempt, shown, type Task } from "../model";
import { address, go, log, now, seed } from "../state";
import { EVERYTHING, tagText, type TaskView, taskView } from "../url";
import { DeepLinks } from "./deep-links";
import { Duration } from "./list";
import { RowView } from "./log-lines";
import { Copy, Moment, Status, Tag } from "./parts";
import { Waterfall } from "./waterfall";

interface Properties {
  task: Task;
  attempts: readonly Attempt[];
  view: TaskView;
}

export function DetailsTab({ task, attempts, view }: Properties) {
  return (
    <div class="details">
      <div class="column">
        <section class="card">
          <h2>Timeline</h2>
          <Waterfall task={task} attempts={attempts} view={view} />
        </section>
        {task.error !== null ? <ErrorSummary task={task} attempts={attempts} /> : null}
        <Arguments task={task} />
        <LastLines task={task} attempts={attempts} view={view} />
      </div>
      <Facts task={task} />
    </div>
  );
}

function ErrorSummary({ task, attempts }: { task: Task; attempts: readonly Attempt[] }) {
  const type = attempts.findLast((each) => each.error !== null)?.error_type;
  return (
    <section class="card error-card">
      <h2>
        {visible(type ?? "Error")}
        <a class="button quiet" href={address(taskView(task.task_id, { tab: "error" }))}>
          Stack trace
        </a>
      </h2>
      <p class="message">{visible(task.error ?? "")}</p>
    </section>
  );
}

const LAST = 8;

/** What it said last; the whole log is a tab away. */
function LastLines({ task, attempts, view }: Properties) {
  const controller = log.value;
  const version = controller?.version.value;
  const rows = controller?.rows ?? 0;
  const first = Math.max(0, rows - LAST);
  useLayoutEffect(() => controller?.ensure(first, rows - 1), [controller, version, first, rows]);
  if (!controller || rows === 0) return null;
  const open = (line: number) => go(taskView(task.task_id, { tab: "logs", line }));
  return (
    <section class="card last-lines">
      <h2>
        {rows > LAST ? "Last log lines" : "Log"}
        <a class="button quiet" href={address(taskView(task.task_id, { tab: "logs" }))}>
          {rows > LAST ? `All ${plural(controller.lines, "line")}` : "Open"}
        </a>
      </h2>
      <div class="log-lines" role="table" aria-label="Last log lines">
        {Array.from({ length: rows - first }, (_, offset) => (
          <RowView key={first + offset} index={first + offset} row={controller.row(first + offset)} attempts={attempts} view={view} select={open} />
        ))}
      </div>
    </section>
  );
}

function Arguments({ task }: { task: Task }) {
  const rows: [string, unknown][] = [
    ...(task.args ?? []).map((value, index): [string, unknown] => [String(index), value]),
    ...Object.entries(task.kwargs ?? {}),
  ];
  if (rows.length === 0) return null;
  return (
    <section class="card">
      <h2>Arguments</h2>
      <dl class="arguments">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{visible(name)}</dt>
            <dd class="code">{visible(write(value, 2))}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Facts({ task }: { task: Task }) {
  const queued = task.start_time === null ? null : (Date.parse(task.start_time) - Date.parse(task.created_at)) / 1000;
  return (
    <section class="card facts" aria-label="Facts">
      <dl>
        <Fact name="State">
          <Status status={shown(task)} />
        </Fact>
        <Fact name="Attempts">
          {task.attempt_count} <span class="muted">of at most {task.max_attempts}</span>
        </Fact>
        <Fact name="Added">
          <Moment iso={task.created_at} />
        </Fact>
        <Fact name="Started">
          <Moment iso={task.start_time} />
        </Fact>
        <Fact name="Ended">
          <Moment iso={task.end_time} />
        </Fact>
        <Fact name="Waited to start">{duration(queued)}</Fact>
        <Fact name="Duration">
          <Duration task={task} />
        </Fact>
        <Fact name="Source">{task.source}</Fact>
        {task.executor ? <Fact name="Runs in">{task.executor}</Fact> : null}
        {task.recoverable ? null : <Fact name="Recoverable">No: no other process can run it</Fact>}
        <Relative name="Retry of" id={task.retry_of} />
        <Relative name="Retried as" id={task.retried_as} />
        <Id name="Task id" id={task.task_id} />
        <Id name="Trace id" id={task.trace_id} />
        <Id name="Span id" id={task.span_id} />
        <Elsewhere name="Elsewhere" links={linksOfTask(seed.links, task, now.value)} />
        <Id name="Request's span" id={task.parent_span_id} />
        <Elsewhere name="Request" links={linksOfRequest(seed.links, task, now.value)} />
        <Tags tags={task.tags} />
      </dl>
    </section>
  );
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

export function Id({ name, id }: { name: string; id: string | null }) {
  if (id === null) return null;
  return (
    <Fact name={name}>
      <code class="id" title={id}>
        {id}
      </code>
      <Copy text={id} what={name.toLowerCase()} />
    </Fact>
  );
}

/** Where the telemetry is. */
export function Elsewhere({ name, links }: { name: string; links: readonly Ready[] }) {
  if (links.length === 0) return null;
  return (
    <Fact name={name}>
      <DeepLinks links={links} />
    </Fact>
  );
}

function Relative({ name, id }: { name: string; id: string | null }) {
  if (id === null) return null;
  return (
    <Fact name={name}>
      <a class="id code" href={address(taskView(id))} title={id}>
        {id}
      </a>
    </Fact>
  );
}

function Tags({ tags }: { tags: Record<string, string> }) {
  const entries = Object.entries(tags);
  if (entries.length === 0) return null;
  return (
    <Fact name="Tags">
      <span class="chips">
        {entries.map(([name, value]) => (
          <Tag key={name} name={name} value={value} href={address({ ...EVERYTHING, tag: tagText(name, value) })} />
        ))}
      </span>
    </Fact>
  );
}
