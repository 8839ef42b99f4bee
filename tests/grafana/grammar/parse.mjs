// Reads [{"language", "query"}] as JSON from standard input, parses each with the grammar of Grafana's editor, and prints for each what
// the grammar could not read: [["text at the error", ...], ...].
import { parser as logql } from "@grafana/lezer-logql";
import { parser as traceql } from "@grafana/lezer-traceql";
import { parser as promql } from "@prometheus-io/lezer-promql";
import { readFileSync } from "node:fs";

const PARSERS = { logql, traceql, promql };

const errorsOf = ({ language, query }) => {
  const errors = [];
  PARSERS[language].parse(query).iterate({
    enter: (node) => {
      if (node.type.isError) errors.push(query.slice(node.from, node.to + 20));
    },
  });
  return errors;
};

const queries = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(queries.map(errorsOf)));
