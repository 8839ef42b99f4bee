import { defineConfig } from "vite";

const suites = ["attempts", "format", "logs", "stack", "store", "timeline", "url"];

/** Compiles the tests for `node --test`; a Node that reads TypeScript itself is not needed. */
export default defineConfig({
  build: {
    ssr: true,
    outDir: "node_modules/.test",
    emptyOutDir: true,
    target: "node20",
    rolldownOptions: {
      input: suites.map((suite) => `test/${suite}.test.ts`),
      output: { entryFileNames: "[name].js" },
    },
  },
});
