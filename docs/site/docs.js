// Draws /openapi.json as a page to read and to try. No library, nothing from elsewhere: the
// page's policy allows neither. Text from the description is only ever set as text.
"use strict";

(async function () {
  const operations = document.getElementById("operations");
  let api;
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error("status " + answer.status);
    api = await answer.json();
  } catch (err) {
    operations.replaceChildren(el("p", { class: "note failed" }, "/openapi.json cannot be read: " + err.message));
    return;
  }
  document.getElementById("version").textContent = api.info.version;
  document.getElementById("about").replaceChildren(...prose(api.info.description || ""));
  document.getElementById("login").addEventListener("submit", (e) => e.preventDefault());

  const drawn = [];
  const side = [];
  for (const tag of api.tags || []) {
    const of = all(api).filter((o) => o.op.tags && o.op.tags[0] === tag.name);
    if (of.length === 0) continue;
    drawn.push(el("h2", { id: "tag-" + tag.name }, tag.name), ...prose(tag.description || ""), ...of.map((o) => drawOperation(api, o)));
    side.push(el("h2", {}, tag.name), el("ul", {}, ...of.map((o) =>
      el("li", {}, el("a", { href: "#" + o.op.operationId }, methodMark(o.method), o.op.summary)))));
  }
  operations.removeAttribute("aria-live");
  operations.replaceChildren(...drawn);
  document.getElementById("side").replaceChildren(...side);
  openAddressed();
  window.addEventListener("hashchange", openAddressed);
})();

// el makes an element; its children are elements or text.
function el(name, attributes, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) {
    if (v !== undefined && v !== false) e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children.filter((c) => c !== undefined && c !== null));
  return e;
}

// prose makes paragraphs, with what stands in backquotes as code.
function prose(text) {
  return text.split("\n\n").filter(Boolean).map((p) => el("p", {}, ...inline(p)));
}

function inline(text) {
  return text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
}

// all lists the operations in an order to read them in: by path, reading before writing.
function all(api) {
  const rank = ["get", "post", "put", "patch", "delete"];
  const found = [];
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of rank) {
      if (item[method]) found.push({ path, method, op: item[method] });
    }
  }
  return found.sort((a, b) => compare(a.path, b.path) || rank.indexOf(a.method) - rank.indexOf(b.method));
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

// openAddressed opens the operation that the address names.
function openAddressed() {
  const addressed = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (addressed && addressed.tagName === "DETAILS") {
    addressed.open = true;
    addressed.scrollIntoView();
  }
}

function methodMark(method) {
  return el("span", { class: "method " + method }, method.toUpperCase());
}

function drawOperation(api, o) {
  const inside = el("div", { class: "inside" });
  const details = el("details", { class: "operation", id: o.op.operationId },
    el("summary", {},
      methodMark(o.method), el("h3", {}, o.op.summary), el("span", { class: "path" }, o.path),
      secured(o) ? el("span", { class: "lock" }, "token") : undefined),
    inside);
  // Drawn when it is first opened: the page stays quick however long the description gets.
  details.addEventListener("toggle", () => {
    if (details.open && !inside.hasChildNodes()) inside.append(...drawInside(api, o));
  });
  return details;
}

function secured(o) {
  return (o.op.security || []).length > 0;
}

function drawInside(api, o) {
  const parts = prose(o.op.description || "");
  const parameters = o.op.parameters || [];
  if (parameters.length > 0) {
    parts.push(el("h4", {}, "Parameters"), table(["Name", "In", "Form", "Meaning"], parameters.map((p) => [
      name(p.name, p.required), p.in, formOf(api, p.schema), el("span", {}, ...inline(p.description || "")),
    ])));
  }
  const body = bodyOf(o);
  if (body) {
    parts.push(el("h4", {}, o.op.requestBody.required ? "Body" : "Body, may be left out"), fields(api, body.schema));
  }
  parts.push(el("h4", {}, "Answers"), ...answers(api, o));
  const curl = el("code", {});
  const copy = el("button", { type: "button", class: "quiet" }, "Copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(curl.textContent);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "Select the text to copy it";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  });
  parts.push(el("div", { class: "with-button" }, el("h4", {}, "With curl"), copy), el("pre", { tabindex: "0" }, curl));
  parts.push(drawTry(o, body, curl));
  return parts;
}

function bodyOf(o) {
  return o.op.requestBody && o.op.requestBody.content["application/json"];
}

function name(text, required) {
  return el("span", {}, el("code", {}, text), required ? el("span", { class: "required" }, "required") : undefined);
}

function table(head, rows) {
  return el("div", { class: "scroll" }, el("table", { class: head.length > 2 && "fixed" },
    el("thead", {}, el("tr", {}, ...head.map((h) => el("th", { scope: "col" }, h)))),
    el("tbody", {}, ...rows.map((r) => el("tr", {}, ...r.map((c) => el("td", {}, c)))))));
}

// resolve follows a reference to a schema.
function resolve(api, schema) {
  const ref = schema && schema.$ref;
  return ref ? api.components.schemas[ref.split("/").pop()] : schema || {};
}

// formOf says in words what a schema admits.
function formOf(api, schema) {
  const s = resolve(api, schema);
  const type = Array.isArray(s.type) ? s.type.filter((t) => t !== "null").join(" or ") : s.type || "any";
  const said = [type === "array" ? "list of " + formOf(api, s.items) : s.format && s.format !== "int64" && s.format !== "double" ? s.format : type];
  if (s.enum) said[0] = s.enum.length > 12 ? "one of " + s.enum.length + " words" : s.enum.join(" | ");
  if (s.minimum !== undefined && s.maximum !== undefined) said.push(s.minimum + " to " + s.maximum);
  else if (s.minimum !== undefined) said.push("from " + s.minimum);
  else if (s.maximum !== undefined) said.push("up to " + s.maximum);
  if (s.minLength > 1) said.push("at least " + s.minLength + " characters");
  if (s.maxLength !== undefined) said.push("at most " + s.maxLength + " characters");
  if (s.minItems) said.push("at least " + s.minItems);
  if (s.maxItems !== undefined) said.push("at most " + s.maxItems);
  if (s.default !== undefined) said.push(s.default + " by default");
  return said.join(", ");
}

// fields lists what is in a body, with what is in it in turn.
function fields(api, schema) {
  const rows = [];
  (function walk(s, depth) {
    s = resolve(api, s);
    const required = s.required || [];
    // What must be sent comes first; else the order of the description.
    const sorted = Object.entries(s.properties || {}).sort(([a], [b]) => required.includes(b) - required.includes(a));
    for (const [field, of] of sorted) {
      const cell = name(field, required.includes(field));
      cell.className = "depth-" + Math.min(depth, 4);
      rows.push([cell, formOf(api, of), el("span", {}, ...inline(of.description || ""))]);
      const inner = resolve(api, of);
      if (depth < 4) walk(inner.items ? inner.items : inner, depth + 1);
    }
  })(schema, 0);
  return rows.length > 0 ? table(["Field", "Form", "Meaning"], rows) : el("p", { class: "note" }, formOf(api, schema));
}

function answers(api, o) {
  const parts = [];
  const refusals = [];
  for (const [status, answer] of Object.entries(o.op.responses).sort(([a], [b]) => compare(a, b))) {
    const headers = Object.entries(answer.headers || {});
    if (Number(status) < 400) {
      const content = Object.values(answer.content || {})[0];
      parts.push(el("p", {}, el("span", { class: "status" }, status), " ", answer.description));
      if (headers.length > 0) {
        parts.push(table(["Header", "Form", "Meaning"], headers.map(([h, p]) => [name(h), formOf(api, p.schema), p.description || ""])));
      }
      if (content) {
        const more = el("details", {}, el("summary", {}, "Fields"));
        more.addEventListener("toggle", () => {
          if (more.open && more.children.length === 1) more.append(fields(api, content.schema));
        });
        parts.push(more);
      }
      continue;
    }
    refusals.push([
      el("span", { class: "status" }, status),
      el("span", { class: "codes" }, ...(answer["x-codes"] || []).map((c) => el("a", { href: "/errors/" + c }, el("code", {}, c)))),
      headers.map(([h]) => h).join(", "),
    ]);
  }
  if (refusals.length > 0) parts.push(el("h4", {}, "Refusals"), table(["Status", "Codes", "Header"], refusals));
  return parts;
}

// drawTry makes the form that sends the request, and keeps the curl line in step with it.
function drawTry(o, body, curl) {
  const inputs = (o.op.parameters || []).map((p) => {
    const id = o.op.operationId + "-" + p.name;
    const input = el("input", { id, autocomplete: "off", spellcheck: "false", placeholder: p.schema && p.schema.default !== undefined ? String(p.schema.default) : undefined, "aria-required": p.required ? "true" : undefined });
    if (p.name === "Idempotency-Key") input.value = crypto.randomUUID ? crypto.randomUUID() : randomKey();
    return { p, input, row: el("div", {}, el("label", { for: id }, p.name), input) };
  });
  const key = inputs.find((i) => i.p.name === "Idempotency-Key");
  const keepID = o.op.operationId + "-keep";
  const keep = el("input", { type: "checkbox", id: keepID });
  const editorID = o.op.operationId + "-body";
  const editor = body && el("textarea", { id: editorID, spellcheck: "false" });
  if (editor) editor.value = JSON.stringify(body.example === undefined ? {} : body.example, null, 2);
  const send = el("button", { type: "submit" }, "Send");
  const outcome = el("div", { role: "status" });
  const form = el("form", { class: "try" },
    el("h4", {}, "Try it"),
    inputs.length > 0 ? el("div", { class: "fields" }, ...inputs.map((i) => i.row)) : undefined,
    editor && el("label", { for: editorID }, "Body"), editor,
    el("div", { class: "row" }, send,
      key && el("label", { class: "check", for: keepID }, keep, "keep the key, to send the same request again")),
    outcome);

  const show = () => { curl.textContent = curlOf(requestOf(o, inputs, editor)); };
  form.addEventListener("input", show);
  document.getElementById("token").addEventListener("input", show);
  show();
  form.addEventListener("submit", async (e) => {
    e.preventDefault();
    const missing = inputs.find((i) => i.p.required && i.input.value === "");
    if (missing) {
      outcome.replaceChildren(el("p", { class: "failed" }, missing.p.name + " is missing."));
      missing.input.focus();
      return;
    }
    send.disabled = true;
    outcome.replaceChildren(el("p", { class: "note" }, "Sending …"));
    try {
      outcome.replaceChildren(...await sendRequest(requestOf(o, inputs, editor)));
      if (key && !keep.checked) key.input.value = crypto.randomUUID ? crypto.randomUUID() : randomKey();
    } catch (err) {
      outcome.replaceChildren(el("p", { class: "failed" }, "No answer came: " + err.message + ". The key was kept: send it again."));
    }
    send.disabled = false;
    show();
  });
  return form;
}

// randomKey serves pages that did not come over HTTPS, where browsers have no randomUUID.
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

// requestOf is the request that the form describes now.
function requestOf(o, inputs, editor) {
  let path = o.path;
  const query = new URLSearchParams();
  const headers = {};
  const token = document.getElementById("token").value.trim();
  if (token && secured(o)) headers.Authorization = "Bearer " + token;
  for (const { p, input } of inputs) {
    const value = input.value.trim();
    if (p.in === "path") path = path.replace("{" + p.name + "}", value === "" ? "{" + p.name + "}" : encodeURIComponent(value));
    else if (value === "") continue;
    else if (p.in === "query") query.set(p.name, value);
    else headers[p.name] = value;
  }
  const body = editor && editor.value.trim() !== "" ? editor.value : undefined;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const asked = query.toString();
  return { method: o.method.toUpperCase(), path: path + (asked ? "?" + asked : ""), headers, body, secured: secured(o) };
}

function curlOf(r) {
  const quoted = (s) => "'" + s.replaceAll("'", "'\\''") + "'";
  const lines = ["curl" + (r.method === "GET" ? "" : " -X " + r.method) + " " + quoted(location.origin + r.path)];
  if (r.secured) lines.push('-H "Authorization: Bearer $TOKEN"'); // a token is not for a shell's history
  for (const [h, value] of Object.entries(r.headers)) {
    if (h !== "Authorization") lines.push("-H " + quoted(h + ": " + value));
  }
  if (r.body !== undefined) lines.push("-d " + quoted(r.body));
  return lines.join(" \\\n  ");
}

const shownHeaders = ["Ledger-Position", "Idempotent-Replay", "Retry-After", "X-Request-Id"];

async function sendRequest(r) {
  const began = performance.now();
  const answer = await fetch(r.path, { method: r.method, headers: r.headers, body: r.body, cache: "no-store" });
  const text = await answer.text();
  const took = Math.round(performance.now() - began);
  let shown = text;
  let value;
  try {
    value = JSON.parse(text);
    shown = JSON.stringify(value, null, 2);
  } catch { /* not JSON: shown as it came */ }
  const headers = shownHeaders.filter((h) => answer.headers.has(h)).map((h) => h + ": " + answer.headers.get(h));
  const parts = [
    el("p", {}, el("span", { class: "status" + (answer.ok ? " get" : " failed") }, String(answer.status)), " in " + took + " ms"),
  ];
  if (value && value.code && value.type) {
    parts[0].append(" · ", el("a", { href: value.type }, el("code", {}, value.code)));
  }
  if (headers.length > 0) parts.push(el("pre", { tabindex: "0" }, el("code", {}, headers.join("\n"))));
  if (shown) parts.push(el("pre", { tabindex: "0" }, el("code", {}, shown)));
  if (value && value.accessToken) {
    const token = document.getElementById("token");
    token.value = value.accessToken;
    token.dispatchEvent(new Event("input"));
    parts.push(el("p", { class: "note" }, "The token was filled in above."));
  }
  return parts;
}
