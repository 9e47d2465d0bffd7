// The calls of the API. docs/listen.md describes it.

async function call(path, options = {}) {
  const answer = await fetch("api/" + path, { ...options, headers: { "X-Anymail": "1", "Content-Type": "application/json" } });
  if (!answer.ok) {
    const error = new Error((await answer.text()).trim() || `answered ${answer.status}`);
    error.status = answer.status;
    throw error;
  }
  return answer;
}

const query = (values) => "?" + new URLSearchParams(values);

export const getJSON = async (path, values = {}, options = {}) => (await call(path + query(values), options)).json();

export const getText = async (path, options = {}) => (await call(path, options)).text();

export async function send(method, path, value) {
  const text = await (await call(path, { method, body: JSON.stringify(value) })).text();
  return text ? JSON.parse(text) : null;
}

export const upload = (path, file) => call(path, { method: "POST", body: file });

export const clear = () => call("requests", { method: "DELETE" });
