import { readdirSync } from "node:fs";

import { defineConfig } from "vite";

const suites = readdirSync("test").filter((name) => name.endsWith(".test.ts"));

/** Compiles the tests for `node --test`; a Node that reads TypeScript itself is not needed. */
export default defineConfig({
  build: {
    ssr: true,
    outDir: "node_modules/.test",
    emptyOutDir: true,
    target: "node20",
    rolldownOptions: {
      input: suites.map((name) => `test/${name}`),
      output: { entryFileNames: "[name].js" },
    },
  },
});
