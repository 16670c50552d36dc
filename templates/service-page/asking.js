// Requests to the service, and its problems (RFC 9457) in its own words.

export class ProblemError extends Error {
  constructor(problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

function problemOf(status, text) {
  const plain = { title: "The service gave no answer", status, detail: `status ${status}`, hint: "", reasons: [] };
  try {
    return { ...plain, ...JSON.parse(text) };
  } catch {
    return plain;
  }
}

function headersOf(key) {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

export async function read(path, key) {
  const response = await fetch(path, { headers: headersOf(key) });
  if (!response.ok) throw new ProblemError(problemOf(response.status, await response.text()));
  return response.json();
}

// Send a form. `progress` hears the share that was sent, from 0 to 1: a fetch cannot say it. `once`: it makes an entry.
export function send(path, parts, key, progress, once = false) {
  const form = new FormData();
  for (const [name, value] of Object.entries(parts)) {
    if (value instanceof Blob) form.append(name, value, "image"); // the name of the file stays here
    else if (value) form.append(name, value);
  }
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headersOf(key))) request.setRequestHeader(name, value);
    if (once) request.setRequestHeader("Idempotency-Key", randomName());
    request.upload.onprogress = (event) => progress(event.lengthComputable ? event.loaded / event.total : 0);
    request.upload.onload = () => progress(1);
    request.onload = () => {
      if (request.status !== 200) reject(new ProblemError(problemOf(request.status, request.responseText)));
      else resolve(JSON.parse(request.responseText));
    };
    request.onerror = () =>
      reject(new ProblemError({
        title: "The service is out of reach", detail: "the connection ended", hint: "check that the service runs", reasons: [],
      }));
    request.send(form);
  });
}

function randomName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (one) => one.toString(16).padStart(2, "0")).join("");
}
