// Shows or makes a passkey when its button is pressed. Without scripts, or where a browser has none, codes do the same.
(() => {
  "use strict";
  const octets = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (octets) =>
    btoa(String.fromCharCode(...new Uint8Array(octets))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const known = (list) => (list ?? []).map((one) => ({ ...one, id: octets(one.id) }));

  async function post(address, body) {
    const answer = await fetch(address, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value,
      },
      body: JSON.stringify(body),
    });
    return answer.json();
  }

  async function make(options) {
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: octets(options.challenge),
        user: { ...options.user, id: octets(options.user.id) },
        excludeCredentials: known(options.excludeCredentials),
      },
    });
    return {
      id: made.id,
      rawId: text(made.rawId),
      type: made.type,
      response: {
        clientDataJSON: text(made.response.clientDataJSON),
        attestationObject: text(made.response.attestationObject),
      },
    };
  }

  async function show(options) {
    const shown = await navigator.credentials.get({
      publicKey: { ...options, challenge: octets(options.challenge), allowCredentials: known(options.allowCredentials) },
    });
    return {
      id: shown.id,
      rawId: text(shown.rawId),
      type: shown.type,
      response: {
        clientDataJSON: text(shown.response.clientDataJSON),
        authenticatorData: text(shown.response.authenticatorData),
        signature: text(shown.response.signature),
        userHandle: shown.response.userHandle ? text(shown.response.userHandle) : null,
      },
    };
  }

  function say(button, trouble) {
    const place = document.getElementById(button.dataset.says);
    place.textContent = trouble;
    place.hidden = false;
  }

  async function press(button) {
    button.disabled = true;
    try {
      const options = await post(button.dataset.options, {});
      if (options.to) return location.assign(options.to);
      if (options.trouble) return say(button, options.trouble);
      const found = await (button.dataset.passkey === "make" ? make(options) : show(options));
      const name = document.getElementById("passkey-name")?.value ?? "";
      const answer = await post(button.dataset.answer, { ...found, name, next: button.dataset.next ?? "" });
      if (answer.trouble) return say(button, answer.trouble);
      if (answer.codes?.length) {
        const place = document.getElementById("new-codes");
        place.querySelector("pre").textContent = answer.codes.join("\n");
        place.hidden = false;
        place.focus();
        return;
      }
      location.assign(answer.to);
    } catch {
      // The browser says no more than that, so that no page can tell which passkeys there are.
      say(button, button.dataset.none);
    } finally {
      button.disabled = false;
    }
  }

  for (const button of document.querySelectorAll("[data-passkey]")) {
    if (!globalThis.PublicKeyCredential) continue;
    button.hidden = false;
    button.addEventListener("click", () => press(button));
  }
})();
