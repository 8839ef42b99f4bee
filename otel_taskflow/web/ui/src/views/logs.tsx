/** The log of a task: what to show of it, the lines, and one line in full. */

import { linksOfLine } from "../deep-links";
import { count, plural, value, visible } from "../format";
import { write } from "../json";
import { type LogController } from "../log-controller";
import { type Attempt, isFinal, type LogEntry, type Task } from "../model";
import { address, api, go, log, seed } from "../state";
import { LEVELS, type TaskView, taskView } from "../url";
import { DeepLinks } from "./deep-links";
import { LogLines } from "./log-lines";
import { Copy, Empty, Moment, ProblemBox } from "./parts";

interface Properties {
  task: Task;
  attempts: readonly Attempt[];
  view: TaskView;
}

export function LogsTab({ task, attempts, view }: Properties) {
  const controller = log.value;
  if (!controller) return null;
  void controller.version.value;
  const selected = selectedEntry(controller, view.line);
  const key = `${controller.filter.level}/${controller.filter.attempt}`;
  return (
    <section class="logs" aria-label="Log">
      <Toolbar controller={controller} attempts={attempts} view={view} />
      {controller.problem.value ? <ProblemBox problem={controller.problem.value} retry={() => controller.again()} /> : null}
      {controller.rows > 0 ? (
        <LogLines key={key} controller={controller} attempts={attempts} view={view} isRunning={!isFinal(task.status)} />
      ) : (
        <NoLines controller={controller} task={task} view={view} />
      )}
      {selected ? <Line entry={selected} task={task} attempt={attempts.find((each) => each.attempt === selected.attempt)} view={view} /> : null}
    </section>
  );
}

function selectedEntry(controller: LogController, seq: number | null): LogEntry | null {
  const index = seq === null ? null : controller.indexOf(seq);
  const row = index === null ? null : controller.row(index);
  return row?.kind === "line" ? row.entry : null;
}

function Toolbar({ controller, attempts, view }: { controller: LogController; attempts: readonly Attempt[]; view: TaskView }) {
  void controller.version.value;
  return (
    <div class="log-tools">
      <label>
        <span class="muted">Level</span>
        <select value={view.level ?? ""} onChange={(event) => go({ ...view, line: null, level: (event.currentTarget.value || null) as TaskView["level"] })}>
          <option value="">all</option>
          {LEVELS.slice(1).map((level) => (
            <option key={level} value={level}>
              {level === "error" ? "error" : `${level} and above`}
            </option>
          ))}
        </select>
      </label>
      {attempts.length > 1 || view.attempt !== null ? (
        <label>
          <span class="muted">Attempt</span>
          <select value={view.attempt ?? ""} onChange={(event) => go({ ...view, line: null, attempt: Number(event.currentTarget.value) || null })}>
            <option value="">all</option>
            {attempts.map(({ attempt_number: number }) => (
              <option key={number} value={number}>
                {number}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      <label class="check">
        <input type="checkbox" checked={view.extras} onChange={(event) => go({ ...view, extras: event.currentTarget.checked }, true)} />
        Extras
      </label>
      <span class="muted log-count">
        {controller.isCounted ? plural(controller.lines, "line") : `${count(controller.lines)}+ lines`}
      </span>
      <a class="button quiet" href={api.text(view.id)} target="_blank" rel="noreferrer" title="The whole log as plain text, for the browser's own search">
        Plain text
      </a>
    </div>
  );
}

function NoLines({ controller, task, view }: { controller: LogController; task: Task; view: TaskView }) {
  void controller.version.value;
  if (!controller.isCounted) return controller.problem.value ? null : <div class="empty muted">Loading …</div>;
  if (view.level !== null || view.attempt !== null) {
    return (
      <Empty title="No such lines">
        <p>
          This task has no line{view.attempt === null ? "" : ` of attempt ${view.attempt}`}
          {view.level === null ? "" : ` at level ${view.level} or above`}.
        </p>
        <p>
          <a class="button" href={address(taskView(view.id, { tab: "logs" }))}>
            Show all lines
          </a>
        </p>
      </Empty>
    );
  }
  return (
    <Empty title={isFinal(task.status) ? "No log lines" : "No log lines yet"}>
      <p>Write one from within the task; it appears here at once, and on the attempt's span as an event.</p>
      <pre class="code sample">{'task_log("Order received", order_id=order.order_id)'}</pre>
    </Empty>
  );
}

/** One line in full, with what was logged beside the message. */
function Line({ entry, task, attempt, view }: { entry: LogEntry; task: Task; attempt: Attempt | undefined; view: TaskView }) {
  const extras = Object.entries(entry.extra);
  return (
    <aside class="line-detail" aria-label={`Line ${entry.seq}`}>
      <header>
        <span class={`level level-${entry.level}`}>{entry.level}</span>
        <Moment iso={entry.time} />
        <span class="muted">
          line {entry.seq} · attempt {entry.attempt_number}
          {entry.logger ? ` · ${entry.logger}` : ""}
          {entry.late ? " · written after its attempt had ended" : ""}
        </span>
        <span class="line-buttons">
          <DeepLinks links={linksOfLine(seed.links, task, attempt, entry)} />
          {attempt?.trace_id ? <Copy text={attempt.trace_id} what="trace id" label="Copy trace id" /> : null}
          <Copy text={entry.message} what="message" />
          <button type="button" class="button quiet" onClick={() => go({ ...view, line: null }, true)} aria-label="Close line">
            Close
          </button>
        </span>
      </header>
      <p class="code line-message">{visible(entry.message)}</p>
      {extras.length > 0 ? (
        <dl class="arguments">
          {extras.map(([name, each]) => (
            <div key={name}>
              <dt>{visible(name)}</dt>
              <dd class="code">{visible(typeof each === "object" ? write(each, 2) : value(each))}</dd>
            </div>
          ))}
        </dl>
      ) : null}
    </aside>
  );
}
