// The page of an MCP host: shows the view of a tool as hosts do, and reports what stands in it at each change.
import { AppBridge, getToolUiResourceUri, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

async function ask(method, params) {
  const response = await fetch("/ask", { method: "POST", body: JSON.stringify({ method, params }) });
  const answer = await response.json();
  if (answer.error) throw new Error(answer.error);
  return answer.result;
}

function report(what) {
  return fetch("/report", { method: "POST", body: JSON.stringify(what) });
}

async function show(name) {
  const { tools } = await ask("tools/list", {});
  const tool = tools.find((each) => each.name.endsWith(name));
  const result = await ask("tools/call", { name: tool.name, arguments: {} }); // as the model does
  const uri = getToolUiResourceUri(tool); // refuses what does not begin with ui://
  const [page] = (await ask("resources/read", { uri })).contents;
  if (page.mimeType !== "text/html;profile=mcp-app") throw new Error(`the view is ${page.mimeType}`);

  const frame = document.createElement("iframe");
  frame.sandbox = "allow-scripts allow-same-origin allow-forms";
  document.body.append(frame);
  const capabilities = { serverTools: {}, serverResources: {}, logging: {} };
  const bridge = new AppBridge(null, { name: "host page", version: "1" }, capabilities);
  bridge.oncalltool = (params) => ask("tools/call", params);
  bridge.onreadresource = (params) => ask("resources/read", params);
  const initialized = new Promise((resolve) => (bridge.oninitialized = resolve));
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.srcdoc = page.text;
  await initialized;
  const seen = () => report({ uri, result, text: frame.contentDocument.body.innerText });
  new MutationObserver(seen).observe(frame.contentDocument, { subtree: true, childList: true, characterData: true });
  await bridge.sendToolInput({ arguments: {} });
  await bridge.sendToolResult(result);
  await seen();
}

show(new URLSearchParams(location.search).get("tool")).catch((error) => report({ error: String(error) }));
