/** A bar an attempt on one axis of time, the waits between them visible; a running bar grows. */

import { duration, tickLabel, visible } from "../format";
import { type Attempt, shownAttempt, type Task } from "../model";
import { address, now } from "../state";
import { type Bar, type Span, type Tick, timeline } from "../timeline";
import { type TaskView, taskView } from "../url";
import { dueIn, outcome, shortType } from "../words";
import { StatusMark } from "./parts";

interface Properties {
  task: Task;
  attempts: readonly Attempt[];
  view: TaskView;
}

export function Waterfall({ task, attempts, view }: Properties) {
  if (attempts.length === 0 && task.end_time !== null) return <p class="muted">No attempt was started.</p>;
  const { bars, pending, ticks } = timeline(task, attempts, now.value);
  return (
    <div class="waterfall" role="table" aria-label="Attempts over time">
      <div class="lane scale" aria-hidden="true">
        <span />
        <span class="track">
          {ticks.map((tick) => (
            <TickMark key={tick.seconds} tick={tick} />
          ))}
        </span>
        <span />
      </div>
      {bars.map((bar) => (
        <Lane key={bar.attempt.attempt} bar={bar} ticks={ticks} view={view} />
      ))}
      {pending ? <PendingLane task={task} span={pending} ticks={ticks} /> : null}
    </div>
  );
}

function TickMark({ tick }: { tick: Tick }) {
  return (
    <span class={tick.at > 0.94 ? "tick last" : "tick"} style={{ left: share(tick.at) }}>
      {tickLabel(tick.seconds)}
    </span>
  );
}

function Lane({ bar, ticks, view }: { bar: Bar; ticks: readonly Tick[]; view: TaskView }) {
  const { attempt, wait, run } = bar;
  const number = attempt.attempt_number;
  const isSelected = view.tab === "attempts" && view.attempt === number;
  const picture = shownAttempt(attempt.status);
  const waited = wait && wait.seconds >= 0.0005 ? `${duration(wait.seconds)} wait` : null;
  return (
    <div class={isSelected ? "lane selected" : "lane"} role="row">
      <span role="cell" class="lane-name">
        <a class="lane-link" href={address(taskView(view.id, { tab: "attempts", attempt: number }))} aria-current={isSelected ? "true" : undefined}>
          <StatusMark status={picture} />
          Attempt {number}
        </a>
        <span class="lane-outcome">{attempt.error_type ? visible(shortType(attempt.error_type)) : outcome(attempt.status)}</span>
      </span>
      <span role="cell" class="track">
        <Grid ticks={ticks} />
        {wait ? <Gap span={wait} label={waited} /> : null}
        <span class={`bar bar-${picture}`} style={{ left: share(run.left), width: share(run.width) }} title={`Ran ${duration(run.seconds)}`} />
      </span>
      <span role="cell" class="lane-time number">
        <span>{duration(run.seconds)}</span>
        {waited ? <span class="muted waited">{waited}</span> : null}
      </span>
    </div>
  );
}

function PendingLane({ task, span, ticks }: { task: Task; span: Span; ticks: readonly Tick[] }) {
  return (
    <div class="lane" role="row">
      <span role="cell" class="lane-name">
        <span class="lane-link">
          <StatusMark status={task.waiting_until === null ? "pending" : "waiting"} />
          Attempt {task.attempt_count + 1}
        </span>
      </span>
      <span role="cell" class="track">
        <Grid ticks={ticks} />
        <Gap span={span} label={null} />
      </span>
      <span role="cell" class="lane-time number muted due">
        {task.waiting_until === null ? "waits" : dueIn(task, now.value).replace("starts ", "")}
      </span>
    </div>
  );
}

function Gap({ span, label }: { span: Span; label: string | null }) {
  return <span class="gap" style={{ left: share(span.left), width: share(span.width) }} title={label ?? "waits"} />;
}

function Grid({ ticks }: { ticks: readonly Tick[] }) {
  return (
    <>
      {ticks.map((tick) => (
        <span key={tick.seconds} class="grid" style={{ left: share(tick.at) }} />
      ))}
    </>
  );
}

const share = (part: number): string => `${(part * 100).toFixed(3)}%`;
