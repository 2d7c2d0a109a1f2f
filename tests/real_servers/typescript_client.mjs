// Calls every tool of a server with a short and a long result; the SDK checks each against the tool's output schema.
// node typescript_client.mjs MODULES PACKAGE COMMAND…
import { pathToFileURL } from "node:url";

const [modules, name, command, ...args] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(`${modules}/@modelcontextprotocol/${path}`));
const [{ Client }, { StdioClientTransport }] = await Promise.all(
  name === "sdk"
    ? [load("sdk/dist/esm/client/index.js"), load("sdk/dist/esm/client/stdio.js")]
    : [load("client/dist/index.mjs"), load("client/dist/stdio.mjs")],
);
const client = new Client({ name: "test", version: "1" }, { capabilities: {} });
await client.connect(new StdioClientTransport({ command, args, env: process.env, stderr: "ignore" }));
const outcomes = {};
for (const tool of (await client.listTools()).tools.filter((tool) => tool.outputSchema)) {
  outcomes[tool.name] = [];
  for (const long of [false, true]) {
    try {
      const result = await client.callTool({ name: tool.name, arguments: { long } });
      outcomes[tool.name].push(result.structuredContent);
    } catch (error) {
      outcomes[tool.name].push(String(error));
    }
  }
}
console.log(JSON.stringify(outcomes));
await client.close();
