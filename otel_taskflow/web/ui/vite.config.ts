import type { Plugin } from "vite";
import { defineConfig } from "vite";

/** Tells the server the hashed names of what was built. */
function manifest(): Plugin {
  return {
    name: "manifest",
    generateBundle(_options, bundle) {
      const files = Object.values(bundle);
      const script = files.find((file) => file.type === "chunk" && file.isEntry)?.fileName;
      const style = files.find((file) => file.fileName.endsWith(".css"))?.fileName;
      if (!script || !style) throw new Error("The build has no script or no style.");
      this.emitFile({ type: "asset", fileName: "manifest.json", source: `${JSON.stringify({ script, style })}\n` });
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [manifest()],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    target: "es2022",
    // Nothing is preloaded and nothing is inlined: the page's policy allows files of its own origin only.
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: "src/main.tsx",
      output: { entryFileNames: "app-[hash].js", chunkFileNames: "part-[hash].js", assetFileNames: "app-[hash][extname]" },
    },
  },
});
