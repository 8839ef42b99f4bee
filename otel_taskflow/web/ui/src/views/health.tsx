/** How the parts of the process are: the banner on every page, and a page of their own. */

import { useLayoutEffect } from "preact/hooks";

import { facts, type Flow, flows, MOST_SHOWN, partName, sentence, troubled, WELLNESS } from "../health";
import type { Part, Wellness } from "../model";
import { address, health, lastList, now } from "../state";
import { HEALTH } from "../url";
import { StatusMark } from "./parts";

const MARKS = { ok: "success", degraded: "interrupted", failed: "failed" } as const;
const COLOURS = { ok: "success", degraded: "waiting", failed: "failed" } as const;

function Mark({ state }: { state: Wellness }) {
  return (
    <span class={`health-mark status-${COLOURS[state]}`}>
      <StatusMark status={MARKS[state]} />
    </span>
  );
}

/** What is not well, why, and what to do; it comes and goes by itself. */
export function HealthBanner({ isOwnPage }: { isOwnPage: boolean }) {
  const parts = troubled(health.value);
  if (parts.length === 0 || isOwnPage) return <div role="status" />;
  const more = parts.length - MOST_SHOWN;
  return (
    <div class="health-banner" role="status">
      <ul>
        {parts.slice(0, MOST_SHOWN).map((part) => (
          <li key={part.part}>
            <Mark state={part.state} />
            <p>
              <Trouble part={part} />
            </p>
          </li>
        ))}
      </ul>
      <a href={address(HEALTH)}>{more > 0 ? `${more} more, and all figures` : "All parts"}</a>
    </div>
  );
}

function Trouble({ part }: { part: Part }) {
  return (
    <>
      <strong>
        {partName(part.part)} is {part.state}.
      </strong>{" "}
      {sentence(part.why)} {sentence(part.remedy)}
    </>
  );
}

export function HealthLink() {
  const { state } = health.value;
  return (
    <a class="health-link" href={address(HEALTH)} title={`Health: ${WELLNESS[state]}`}>
      <Mark state={state} />
      <span>Health</span>
    </a>
  );
}

export function HealthPage() {
  useLayoutEffect(() => scrollTo(0, 0), []);
  const parts = health.value.parts;
  const destinations = parts.filter((part) => part.part.startsWith("destination:"));
  const others = parts.filter((part) => !part.part.startsWith("destination:"));
  return (
    <div class="page health-page">
      <nav class="back">
        <a href={address(lastList.value)}>← Tasks</a>
      </nav>
      <h1>Health</h1>
      <div class="health-destinations">
        {destinations.map((part) => (
          <Destination key={part.part} part={part} />
        ))}
      </div>
      <div class="health-parts">
        {others.map((part) => (
          <OtherPart key={part.part} part={part} />
        ))}
      </div>
      <p class="muted health-note">Of the process that serves this page. Bytes are those of the messages before compression.</p>
    </div>
  );
}

function Head({ part }: { part: Part }) {
  return (
    <h2>
      {partName(part.part)}
      <span class={`status status-${COLOURS[part.state]}`}>
        <StatusMark status={MARKS[part.state]} />
        {WELLNESS[part.state]}
      </span>
    </h2>
  );
}

function Destination({ part }: { part: Part }) {
  return (
    <section class="card health-part">
      <Head part={part} />
      {part.state === "ok" ? null : <p class="health-why">{`${sentence(part.why)} ${sentence(part.remedy)}`}</p>}
      <div class="flows">
        {flows(part, now.value).map((flow) => (
          <FlowFacts key={flow.signal} flow={flow} />
        ))}
      </div>
    </section>
  );
}

function FlowFacts({ flow }: { flow: Flow }) {
  return (
    <div class="flow">
      <h3>
        {flow.signal} <span class="muted code">{flow.endpoint}</span>
      </h3>
      <Facts facts={flow.facts} />
      {flow.trouble === null ? null : <p class="flow-trouble">Last error: {flow.trouble}</p>}
    </div>
  );
}

function OtherPart({ part }: { part: Part }) {
  const known = facts(part);
  return (
    <section class="card health-part">
      <Head part={part} />
      {part.why === "" ? null : <p class="health-why">{`${sentence(part.why)} ${sentence(part.remedy)}`}</p>}
      {known.length === 0 ? null : <Facts facts={known} />}
    </section>
  );
}

function Facts({ facts: known }: { facts: readonly (readonly [string, string])[] }) {
  return (
    <dl class="health-figures">
      {known.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}
