// Passkeys: hand the server's options to the browser, and what the browser answers back to the form.
(() => {
  'use strict';
  const form = document.querySelector('form[data-passkey]');
  if (!form) return;
  const options = JSON.parse(document.getElementById('passkey-options').textContent);
  const button = form.querySelector('[data-passkey-start]');
  const problem = form.querySelector('[data-passkey-problem]');

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
  const listed = (rows) => (rows || []).map((row) => ({ ...row, id: bytes(row.id) }));

  const creating = (key) => navigator.credentials.create({ publicKey: {
    ...key, challenge: bytes(key.challenge), user: { ...key.user, id: bytes(key.user.id) },
    excludeCredentials: listed(key.excludeCredentials),
  } });
  const getting = (key) => navigator.credentials.get({ publicKey: {
    ...key, challenge: bytes(key.challenge), allowCredentials: listed(key.allowCredentials),
  } });

  const answer = (made) => {
    const response = { clientDataJSON: text(made.response.clientDataJSON) };
    for (const name of ['attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
      if (made.response[name]) response[name] = text(made.response[name]);
    }
    if (made.response.getTransports) response.transports = made.response.getTransports();
    return {
      id: made.id, rawId: text(made.rawId), type: made.type, response,
      clientExtensionResults: made.getClientExtensionResults(), authenticatorAttachment: made.authenticatorAttachment,
    };
  };

  button.hidden = !window.PublicKeyCredential;
  if (!window.PublicKeyCredential) problem.hidden = false;
  button.addEventListener('click', async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      const made = form.dataset.passkey === 'create' ? await creating(options.publicKey) : await getting(options.publicKey);
      form.elements.credential.value = JSON.stringify(answer(made));
      form.submit();
    } catch (error) {
      problem.hidden = false;
      problem.focus();
    }
  });
})();
