// The token that the server asks for with whatever changes something.

/** The token of the cookie, which is newer than the page after another log-in; else that of a form. */
export function csrfToken(form) {
  const cookie = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie);
  return cookie ? decodeURIComponent(cookie[1]) : form.elements.csrfmiddlewaretoken.value;
}
