// Every Mermaid diagram in the given Markdown files is one by Mermaid's own parser. Copied beside its modules to run.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html><body></body>");
Object.assign(globalThis, { window, document: window.document });
const { default: mermaid } = await import("mermaid");
mermaid.initialize({ startOnLoad: false });

// What the parser says of a diagram; nothing when it is one.
const problem = async (text) => {
  try {
    await mermaid.parse(text);
    return undefined;
  } catch (error) {
    return error.message.split("\n").slice(0, 4).join("\n  ");
  }
};

const control = 'xychart-beta\n    x-axis "a" ["1", "2"]\n    y-axis "b" 0 --> 3\n    bar [1, NaN]\n';
if ((await problem(control)) === undefined || (await problem(control.replace("NaN", "2"))) !== undefined) {
  console.error("the parser does not tell a diagram from none");
  process.exit(2);
}

let [nDiagrams, nBad] = [0, 0];
for (const file of process.argv.slice(2)) {
  const fences = [...readFileSync(file, "utf8").matchAll(/^( *)```mermaid\n([\s\S]*?)^\1```$/gm)];
  for (const [, indent, text] of fences) {
    nDiagrams += 1;
    const found = await problem(text.replaceAll(new RegExp(`^${indent}`, "gm"), ""));
    if (found !== undefined) {
      console.error(`${file}: ${found}\n${text}`);
      nBad += 1;
    }
  }
}
console.log(`mermaid: ${nDiagrams} diagrams in ${process.argv.length - 2} files`);
process.exit(nBad === 0 && nDiagrams > 0 ? 0 : 1);
