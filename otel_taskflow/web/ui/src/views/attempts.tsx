/** Every attempt with its own times, error and trace, also after a later success. */

import { linesOf } from "../attempts";
import { linksOfAttempt } from "../deep-links";
import { duration, plural } from "../format";
import type { Attempt, Task } from "../model";
import { address, now, seed } from "../state";
import { type TaskView, taskView } from "../url";
import { Elsewhere, Fact, Id } from "./details";
import { ErrorText } from "./errors";
import { Empty, Moment, Outcome } from "./parts";
import { Waterfall } from "./waterfall";

interface Properties {
  task: Task;
  attempts: readonly Attempt[];
  view: TaskView;
}

export function AttemptsTab({ task, attempts, view }: Properties) {
  if (attempts.length === 0) {
    return (
      <Empty title="No attempt yet">
        <p>Each time the function is started, an attempt appears here with its duration, its error and its trace.</p>
      </Empty>
    );
  }
  const selected = attempts.find((each) => each.attempt_number === view.attempt) ?? attempts.at(-1);
  return (
    <div class="column">
      <section class="card">
        <h2>Timeline</h2>
        <Waterfall task={task} attempts={attempts} view={{ ...view, attempt: selected?.attempt_number ?? null }} />
      </section>
      {selected ? <AttemptCard task={task} attempt={selected} lines={linesOf(selected, attempts, task)} view={view} /> : null}
    </div>
  );
}

function AttemptCard({ task, attempt, lines, view }: { task: Task; attempt: Attempt; lines: number; view: TaskView }) {
  const log = taskView(view.id, { tab: "logs", attempt: attempt.attempt_number });
  return (
    <section class="card facts wide">
      <h2>
        Attempt {attempt.attempt_number}
        <a class="button quiet" href={address(log)}>
          {lines ? plural(lines, "log line") : "Logs"}
        </a>
      </h2>
      <dl>
        <Fact name="Outcome">
          <Outcome status={attempt.status} />
        </Fact>
        <Fact name="Started">
          <Moment iso={attempt.start_time} />
        </Fact>
        <Fact name="Ended">
          <Moment iso={attempt.end_time} />
        </Fact>
        <Fact name="Duration">{duration(attempt.duration)}</Fact>
        <Fact name="Waited when due">{duration(attempt.queue_wait)}</Fact>
        <Fact name="Worker">{attempt.worker}</Fact>
        <Id name="Trace id" id={attempt.trace_id} />
        <Id name="Span id" id={attempt.span_id} />
        <Elsewhere name="Elsewhere" links={linksOfAttempt(seed.links, task, attempt, now.value)} />
      </dl>
      {attempt.late_end ? <p class="remark-line">It took longer than its timeout; its thread could not be stopped and went on.</p> : null}
      {attempt.error !== null ? <ErrorText type={attempt.error_type} message={attempt.error} stack={attempt.stacktrace} /> : null}
    </section>
  );
}
